"""Finds where the original's content lies in an edited picture, or that it is another picture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.proof import Plane, Rect
from service.proof.placing import (
    MAX_SHIFT,
    STRAIGHT,
    Placement,
    Scene,
    detail,
    finest,
    levels_to,
    refined,
    stays,
)
from service.proof.sampling import Mapping, View, box_mean
from service.proof.structure import VISIBLE, WINDOW, left, octave

_ZOOMS = (1.0, 0.94, 1.06, 0.88, 1.12)
_TRIED = 3
_GOOD = 0.9  # of the right placements 99 % agree more, of wrong ones none
_EQUAL = 0.02
_LEAST_AGREEMENT = 0.5
_LEAST_THERE = 0.01
_LITTLE = 0.2
_SNAP = 0.25
_SAME_BRIGHTNESS = 8.0
_SAME_ASPECT = 0.01
_WHOLLY = 0.99


@dataclass(frozen=True, slots=True)
class Registration:
    """
    The edited picture on the original's coordinates.

    Args:
        view: Samples the edited picture on the original's grid.
        agreement: Share of the structured places outside the regions that show the same
            structure, 0 to 1; this is the confidence.  Where there are none it is the share of
            equal brightness, and 1 where nothing can be compared at all.
        there: Share of the picture that has structure to compare.
        same: Whether it is the same picture at all, within the bounds.
        doubted: Where little outside the regions tells how it was framed, other ways it may have
            been: what was not redacted would be found in one of them.
    """

    view: View
    agreement: float
    there: float
    same: bool
    doubted: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class _Judge:
    """
    What scores placements: the finest level, and what every score asks of the original there.

    Args:
        waves: The octave of its luma.
        energy: Their variance around each sample.
    """

    scene: Scene
    waves: Plane
    energy: Plane

    @classmethod
    def of(cls, scene: Scene) -> Self:
        """Measure the original once."""
        waves = octave(scene.original)
        return cls(scene, waves, box_mean(waves**2, WINDOW))

    def structured(self) -> NDArray[np.bool_]:
        """Tell where a whole window outside the regions has structure."""
        compared = box_mean(self.scene.compared, WINDOW) > _WHOLLY
        return np.asarray((self.energy > VISIBLE) & compared)

    def misfit(self, place: Placement) -> float:
        """Return the mean difference in detail, in grey levels, of what is compared."""
        moved, compared = self.scene.laid(place)
        apart = np.abs(self.scene.target - detail(moved))
        return float(apart.sum() / (compared.sum() + 1))

    def agreement(self, place: Placement) -> float:
        """Return the share of the places with structure in either picture that agree."""
        moved, compared = self.scene.laid(place)
        waves = octave(moved)
        products = np.stack([self.waves * waves, waves**2, compared])
        cross, other, whole = box_mean(products, WINDOW)
        # The edited picture may gain faint structure by coding; what it gains beyond that counts.
        either = (self.energy > VISIBLE) | (other > 4 * VISIBLE)
        either &= whole > _WHOLLY
        if not either.any():
            return 0.0
        upright = left(self.energy, cross, other, ratio=1.0) & (cross > 0)
        return float(upright[either].mean())


def register(original: View, edited: View, masked: Iterable[Rect]) -> Registration:
    """
    Register by the content outside the masked rectangles.

    Bounds: content stretched by at most 1.2 either way against the frame and shifted by at most
    12 % of a side.  Beyond them it is another picture.
    """
    judge = _Judge.of(finest(original, edited, masked))
    ratio = _ratio(original, edited)
    there = float(judge.structured().mean())
    others = _likely(judge.scene, ratio) if there < _LITTLE else []
    if there > _LEAST_THERE:
        best, agreement = _best(judge, ratio, others[:1])
    else:
        best, agreement = STRAIGHT, _flat_agreement(judge.scene)
    if original.pixels.shape == edited.pixels.shape and best.moves < _SNAP:
        best = STRAIGHT
    doubted = tuple(place.view(original, edited) for place in others)
    same = agreement >= _LEAST_AGREEMENT
    return Registration(best.view(original, edited), agreement, there, same, doubted)


def _ratio(original: View, edited: View) -> float:
    """Return how much taller for its width the edited picture is."""
    height, width, _ = original.pixels.shape
    tall, wide, _ = edited.pixels.shape
    return float((tall / height) / (wide / width))


def _best(judge: _Judge, ratio: float, own: Sequence[Placement]) -> tuple[Placement, float]:
    """
    Try the straight placement, and only if it does not fit search for others.

    Args:
        own: How the regions' own content lies, where little else tells.  Then it is one of those
            to choose from, and none that moves is taken before all have been tried.
    """
    if not own and stays(judge.scene, STRAIGHT):
        straight = judge.agreement(STRAIGHT)
        if straight >= _GOOD:
            return STRAIGHT, straight
    tried = [(place, judge.agreement(place)) for place in own if place.allowed]
    tried = [(place, agreement) for place, agreement in tried if agreement >= _GOOD]
    levels = levels_to(judge.scene)
    for start in _starts(levels[0], ratio):
        found = refined(levels, start)
        if found.allowed:
            tried.append((found, judge.agreement(found)))
            if tried[-1][1] >= _GOOD and (not own or found.moves < _SNAP):
                break
    most = max((agreement for _, agreement in tried), default=0.0)
    equals = [one for one in tried if one[1] >= most - _EQUAL]
    best, agreement = min(equals, key=lambda one: judge.misfit(one[0]), default=(STRAIGHT, 0.0))
    # Where the picture tells too little, for one along its only edge, both fit equally.
    if judge.misfit(STRAIGHT) <= judge.misfit(best) * 1.1 + 0.1:
        straight = judge.agreement(STRAIGHT)
        if straight >= agreement - _EQUAL:
            return STRAIGHT, straight
    return best, agreement


def _likely(scene: Scene, ratio: float) -> list[Placement]:
    """Lay by the regions' own content, and by cutting or padding at the centre."""
    levels = [level.unmasked() for level in levels_to(scene)]
    own = refined(levels, _ranked(levels[0], ratio)[0])
    if abs(ratio - 1) < _SAME_ASPECT:
        return [own, STRAIGHT]
    return [own, *(Placement(Mapping(tall), Mapping(wide)) for tall, wide in _framings(ratio))]


def _framings(ratio: float) -> list[tuple[float, float]]:
    """Stretch, or keep the content's aspect by cutting one way or padding the other."""
    return [(1.0, 1.0), (1 / ratio, 1.0), (1.0, ratio)]


def _starts(scene: Scene, ratio: float) -> Iterator[Placement]:
    yield STRAIGHT
    yield from _ranked(scene, ratio)[:_TRIED]


def _ranked(scene: Scene, ratio: float) -> list[Placement]:
    """Rank framings (stretched, cut or padded to the new aspect) and zooms, each best shifted."""
    found = [
        _shifted(scene, tall * zoom, wide * zoom)
        for (tall, wide), zoom in product(dict.fromkeys(_framings(ratio)), _ZOOMS)
    ]
    return [place for _, place in sorted(found, key=lambda pair: -pair[0])]


def _shifted(scene: Scene, tall: float, wide: float) -> tuple[float, Placement]:
    """Find the shift at which details correlate best; also gives how well they do."""
    height, width = scene.original.shape
    moved, compared = scene.laid(Placement(Mapping(tall), Mapping(wide)))
    first, second = scene.target * scene.compared, detail(moved) * compared
    size = 2 * height, 2 * width
    products = np.fft.irfft2(np.fft.rfft2(first, size).conj() * np.fft.rfft2(second, size), size)
    down, right = max(1, round(height * MAX_SHIFT)), max(1, round(width * MAX_SHIFT))
    near = np.roll(products, (down, right), (0, 1))[: 2 * down + 1, : 2 * right + 1]
    dy, dx = np.unravel_index(int(near.argmax()), near.shape)
    score = float(near.max() / (np.linalg.norm(second) + 1e-3))
    rows = Mapping(tall, (int(dy) - down) / height * tall)
    columns = Mapping(wide, (int(dx) - right) / width * wide)
    return score, Placement(rows, columns)


def _flat_agreement(scene: Scene) -> float:
    """Judge a picture without structure outside the regions by its brightness there."""
    moved, _ = scene.laid(STRAIGHT)
    counted = scene.compared > _WHOLLY
    if not counted.any():
        return 1.0
    equal = np.abs(moved - scene.original) < _SAME_BRIGHTNESS
    return float(equal[counted].mean())
