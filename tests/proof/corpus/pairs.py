"""The corpus: every kind of pair in turn, each from its own seed."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from service.proof import Edit, Region
from tests.proof.corpus import Box, Pair, Scene
from tests.proof.corpus.edits import FALSE, PROPER, Painter, solid
from tests.proof.corpus.scenes import scene
from tests.proof.corpus.travels import CODINGS, FRAMINGS, repainted, shifted_far

_EDITS: dict[str, Edit] = {
    "heavy blur": "blur",
    "cells, then blur": "blur",
    "blur in an ellipse": "blur",
    "coarse cells": "pixelate",
    "solid box": "box",
}
_ASKED: tuple[Edit, ...] = ("blur", "pixelate", "box", "remove")
_OTHERS = ("wrong place", "one left out", "other photo", "other crop", "repainted", "shifted far")
KINDS = (*PROPER, *FALSE, *_OTHERS)
# Every kind that is caught counts once, so proper edits come up twice to be as many.
_TURNS = (*PROPER, *FALSE, *PROPER, *_OTHERS)


def pairs(seed: int, count: int) -> Iterator[Pair]:
    """Make ``count`` pairs; the same seed gives the same ones, and a longer run begins alike."""
    for index in range(count):
        yield pair(seed, index)


def pair(seed: int, index: int) -> Pair:
    """Make one pair of the corpus."""
    rng, kind = np.random.default_rng([seed, index]), _TURNS[index % len(_TURNS)]
    made = _usable(rng, kind)
    image, places = made.image, _chosen(rng, made, kind)
    asked = _EDITS.get(kind, str(rng.choice(_ASKED)) if kind in FALSE else "remove")
    regions = tuple(_region(image, place, asked) for place in places)
    if kind in PROPER or kind in FALSE:
        edited = _painted(rng, image, places, (PROPER | FALSE)[kind])
    else:
        edited = _WHOLE[kind](rng, made, places)
    framings = [*FRAMINGS, "same frame", "same frame"]
    if kind not in PROPER and any(_near_edge(image, place) for place in places):
        framings = ["same frame", "resized", "stretched", "letterboxed"]
    framing = str(rng.choice(framings))
    coding = str(rng.choice(list(CODINGS)))
    edited = CODINGS[coding](rng, FRAMINGS[framing](rng, edited))
    return Pair(kind, f"{framing}, {coding}", kind in PROPER, image, edited, regions)


def _near_edge(image: Image.Image, box: Box) -> bool:
    """Tell whether a cut or shift might take away what the edit left there."""
    across, down = image.width // 12, image.height // 12
    return (
        box[0] < across
        or box[1] < down
        or box[2] > image.width - across
        or box[3] > image.height - down
    )


def _usable(rng: np.random.Generator, kind: str) -> Scene:
    """Draw scenes until one has places enough for the kind."""
    while True:
        made = scene(rng)
        least = 2 if kind in ("wrong place", "one left out") else 1
        if kind == "blur in an ellipse":
            made = Scene(made.image, tuple(one for one in made.places if _round(one)))
        if len(made.places) >= least:
            return made


def _round(box: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    return min(width, height) >= 20 and max(width, height) <= 1.5 * min(width, height)


def _chosen(rng: np.random.Generator, made: Scene, kind: str) -> list[Box]:
    """Ask for one to five places; one must stay over where another is edited in its stead."""
    least, most = {"wrong place": (1, 1), "one left out": (2, 5)}.get(kind, (1, 5))
    count = int(rng.integers(least, most + 1))
    order = rng.permutation(len(made.places))
    return [made.places[index] for index in order[:count]]


def _region(image: Image.Image, box: Box, edit: str) -> Region:
    """Round outwards to thousandths, as a description does."""
    left, top, right, bottom = box
    return Region(
        (
            top * 1000 // image.height,
            left * 1000 // image.width,
            -(-bottom * 1000 // image.height),
            -(-right * 1000 // image.width),
        ),
        edit,  # type: ignore[arg-type]
        "rule",
    )


def _painted(
    rng: np.random.Generator, image: Image.Image, places: list[Box], painter: Painter
) -> Image.Image:
    image = image.copy()
    for place in places:
        painter(rng, image, place)
    return image


def _wrong_place(rng: np.random.Generator, made: Scene, places: list[Box]) -> Image.Image:
    others = [one for one in made.places if one not in places]
    return _painted(rng, made.image, others[:1], solid)


def _one_left_out(rng: np.random.Generator, made: Scene, places: list[Box]) -> Image.Image:
    return _painted(rng, made.image, places[1:], solid)


def _other_photo(rng: np.random.Generator, made: Scene, places: list[Box]) -> Image.Image:
    """Take another scene, redacted at the right places, so that only the swap can give it away."""
    other = scene(rng).image
    while np.array_equal(_tiny(other), _tiny(made.image)):
        other = scene(rng).image
    return _painted(rng, other.resize(made.image.size), places, solid)


def _tiny(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((4, 4)))


def _other_crop(rng: np.random.Generator, made: Scene, places: list[Box]) -> Image.Image:
    image = made.image
    share = rng.uniform(0.45, 0.7)
    width, height = round(image.width * share), round(image.height * share)
    left, top = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
    part = image.crop((int(left), int(top), int(left) + width, int(top) + height))
    return _painted(rng, part.resize(image.size, Image.Resampling.LANCZOS), places, solid)


def _repainted(rng: np.random.Generator, made: Scene, places: list[Box]) -> Image.Image:
    return repainted(rng, _painted(rng, made.image, places, solid))


def _shifted_far(rng: np.random.Generator, made: Scene, places: list[Box]) -> Image.Image:
    return shifted_far(rng, _painted(rng, made.image, places, solid))


_WHOLE: dict[str, Callable[[np.random.Generator, Scene, list[Box]], Image.Image]] = {
    "wrong place": _wrong_place,
    "one left out": _one_left_out,
    "other photo": _other_photo,
    "other crop": _other_crop,
    "repainted": _repainted,
    "shifted far": _shifted_far,
}
