"""Edits of one place: those that hide what was there, and those that only seem to."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from tests.proof.corpus import Box
from tests.proof.corpus.scenes import face, line, write

Painter = Callable[[np.random.Generator, Image.Image, Box], None]


def _elongated(box: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    return max(width, height) > 1.6 * min(width, height)


def _short(box: Box) -> int:
    return min(box[2] - box[0], box[3] - box[1])


def _long(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])


def heavy_blur(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Blur over at least an eighth of a face, or a third of a line of text."""
    low = 0.33 if _elongated(box) else 0.125
    _paste(image, box, _blurred(image.crop(box), _short(box) * rng.uniform(low, 0.5)), rng)


def model_blur(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Pixelate and then blur, as the local endpoint does."""
    cells = min(8, max(2, _long(box) // 8))
    part = _mosaic(image.crop(box), cells)
    _paste(image, box, _blurred(part, _long(box) / cells * 0.75), rng)


def ellipse_blur(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Blur the ellipse that fills the box, with a soft edge."""
    part = image.crop(box)
    mask = Image.new("L", part.size, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, part.width - 1, part.height - 1), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(_short(box) * 0.02))
    image.paste(_blurred(part, _short(box) * rng.uniform(0.15, 0.4)), box, mask)


def pixelate(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Average into at most 8 cells across the longer side, each 8 px or more where two fit."""
    cells = min(int(rng.integers(3, 9)), max(2, _long(box) // 8))
    _paste(image, box, _mosaic(image.crop(box), cells), rng)


def solid(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Paint a box of one colour."""
    colour = (0, 0, 0) if rng.random() < 0.6 else tuple(int(one) for one in rng.integers(0, 256, 3))
    image.paste(colour, box)


def paint_over(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Inpaint from the four edges, smoothly."""
    part = np.asarray(image.crop(box), np.float32)
    height, width, _ = part.shape
    ys, xs = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    down = part[:1] * (1 - ys) + part[-1:] * ys
    across = part[:, :1] * (1 - xs) + part[:, -1:] * xs
    noise = rng.normal(0, rng.uniform(0, 4), part.shape)
    mixed = Image.fromarray(np.clip((down + across) / 2 + noise, 0, 255).astype(np.uint8))
    image.paste(_blurred(mixed, _short(box) / 12), box)


def paint_texture(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Inpaint with another part of the same picture."""
    width, height = box[2] - box[0], box[3] - box[1]
    for _ in range(40):
        left = int(rng.integers(image.width - width + 1))
        top = int(rng.integers(image.height - height + 1))
        if abs(left - box[0]) >= width or abs(top - box[1]) >= height:
            image.paste(image.crop((left, top, left + width, top + height)), box)
            return
    solid(rng, image, box)


def paint_noise(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Inpaint with coloured noise around the mean."""
    part = np.asarray(image.crop(box), np.float32)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize(
        (part.shape[1], part.shape[0]), Image.Resampling.BICUBIC
    )
    mixed = part.mean(axis=(0, 1)) + (np.asarray(coarse, np.float32) - 128) * 0.4
    mixed += rng.normal(0, 8, part.shape)
    image.paste(Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)), box)


def replaced(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Put other content of the same sort there: another face, or another line of text."""
    part = image.crop(box)
    if not _elongated(box):
        other = face(rng, max(part.size)).resize(part.size)
        while _alike(part, other):
            other = face(rng, max(part.size)).resize(part.size)
        image.paste(other, box)
        return
    colours = np.asarray(part).reshape(-1, 3)
    light, dark = (np.percentile(colours, share, axis=0).astype(int) for share in (95, 2))
    paper = Image.new("RGB", part.size, tuple(int(one) for one in light))
    points = max(8, int(part.height * 0.7))
    write(
        ImageDraw.Draw(paper),
        (points // 5, 0),
        line(rng),
        points,
        (int(dark[0]), int(dark[1]), int(dark[2])),
    )
    image.paste(paper, box)


def _alike(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether two pictures show the same: of a hundred faces now and then one comes twice."""
    small = [np.asarray(part.convert("L").resize((12, 12))).ravel() for part in (one, other)]
    return float(np.corrcoef(small)[0, 1]) > 0.9


def nothing(_rng: np.random.Generator, _image: Image.Image, _box: Box) -> None:
    """Leave the place as it is."""


def light_blur(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Blur so little that a face is known and a line is read."""
    share = rng.uniform(0.02, 0.05) if _elongated(box) else rng.uniform(0.015, 0.04)
    image.paste(_blurred(image.crop(box), max(0.5, _short(box) * share)), box)


def fine_mosaic(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Pixelate so finely that it is still known; a small place has no such cells of 2 px."""
    if _short(box) < 40:
        light_blur(rng, image, box)
        return
    cells = _long(box) / max(1.0, _short(box) / rng.uniform(18, 30))
    image.paste(_mosaic(image.crop(box), max(2, round(cells))), box)


def faded(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Take most of the contrast."""
    image.paste(ImageEnhance.Contrast(image.crop(box)).enhance(rng.uniform(0.15, 0.6)), box)


def inverted(_rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Turn into the negative."""
    image.paste(ImageOps.invert(image.crop(box)), box)


def recoloured(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Turn the hues, swap the channels, or tint."""
    part = image.crop(box)
    order = rng.permutation(3)
    pixels = np.asarray(part, np.float32)[..., order] * rng.uniform(0.4, 1.0, 3)
    image.paste(Image.fromarray(np.clip(pixels + 30, 0, 255).astype(np.uint8)), box)


def mirrored(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Mirror in place, either way."""
    image.paste(image.crop(box).transpose(Image.Transpose(int(rng.integers(2)))), box)


def nudged(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Move the content a little within its place."""
    reach = max(1, round(_short(box) * rng.uniform(0.05, 0.2)))
    part = np.asarray(image.crop(box))
    image.paste(Image.fromarray(np.roll(part, (reach, -reach), (0, 1))), box)


def half(rng: np.random.Generator, image: Image.Image, box: Box) -> None:
    """Cover only the half, or nearly, that shows less."""
    left, top, right, bottom = box
    wide = right - left > bottom - top
    share = rng.uniform(0.4, 0.6)
    if wide:
        middle = left + round((right - left) * share)
        halves = (left, top, middle, bottom), (middle, top, right, bottom)
    else:
        middle = top + round((bottom - top) * share)
        halves = (left, top, right, middle), (left, middle, right, bottom)
    solid(rng, image, min(halves, key=lambda one: _strokes(image.crop(one))))


def _strokes(part: Image.Image) -> float:
    grey = np.asarray(part.convert("L"), np.float32)
    return float(sum(np.abs(np.diff(grey, axis=axis)).sum() for axis in (0, 1)))


def _blurred(part: Image.Image, sigma: float) -> Image.Image:
    return part.filter(ImageFilter.GaussianBlur(sigma))


def _mosaic(part: Image.Image, cells: int) -> Image.Image:
    cell = max(2.0, max(part.size) / cells)
    size = max(1, round(part.width / cell)), max(1, round(part.height / cell))
    coarse = part.resize(size, Image.Resampling.BOX)
    return coarse.resize(part.size, Image.Resampling.NEAREST)


def _paste(image: Image.Image, box: Box, part: Image.Image, rng: np.random.Generator) -> None:
    """Paste with a hard edge or one that fades in over a twenty-fifth of the shorter side."""
    if rng.random() < 0.5:
        image.paste(part, box)
        return
    soft = max(1, _short(box) // 25)
    mask = Image.new("L", part.size, 0)
    mask.paste(255, (soft, soft, part.width - soft, part.height - soft))
    image.paste(part, box, mask.filter(ImageFilter.BoxBlur(soft / 2)))


PROPER: dict[str, Painter] = {
    "heavy blur": heavy_blur,
    "cells, then blur": model_blur,
    "blur in an ellipse": ellipse_blur,
    "coarse cells": pixelate,
    "solid box": solid,
    "inpainted smoothly": paint_over,
    "inpainted with texture": paint_texture,
    "inpainted with noise": paint_noise,
    "replaced by another": replaced,
}
FALSE: dict[str, Painter] = {
    "not edited": nothing,
    "light blur": light_blur,
    "fine cells": fine_mosaic,
    "faded": faded,
    "inverted": inverted,
    "recoloured": recoloured,
    "mirrored in place": mirrored,
    "moved in place": nudged,
    "half covered": half,
}
