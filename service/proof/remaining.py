"""How much of a region's information an edit has left."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.proof import Edit, Pixels, Plane, Rect
from service.proof.sampling import View, box_mean, interpolated
from service.proof.structure import (
    COARSEST,
    VISIBLE,
    WINDOW,
    Shown,
    octave,
    opponent,
    principal,
    shown,
)

_MAX_SAMPLES = 60_000
_MAX_OCTAVES = 5
_LEAST_WAVE = 6.0
_ROUND_EDITS = ("blur", "pixelate", "remove")
_ROUND_ASPECT = 1.6
_LEAST_THERE = 0.02
_RATIO = 4.0  # content that was coded at q60 has 10 and more, chance likeness mostly below 2
_MAX_LEFT = 0.15
_MAX_LONGEST = 0.25
_MAX_FINER = 0.1
_MAX_MOVED = 0.3  # of many moves one fits a little; what was really moved shows nearly all
_MAX_LEFT_WITHIN = 0.04
_LEAST_WITHIN = 0.2
_LEAST_RADIUS = 0.6
_MOVED_OCTAVES = 2
_MOVES_TRIED = 2
_WAYS = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # of mirroring: down and across
_PEAKS = 2  # of each way
_PEAK = 2  # samples around a peak that belong to it


@dataclass(frozen=True, slots=True)
class Remaining:
    """
    What is left of a region.

    Args:
        left: Per octave, coarse to fine, the share of the places with structure that still show
            it; None where the original has too little to tell.
        moved: The same share of what both have in common when the edited region is mirrored or
            shifted to where it fits best, in the second octave if it has structure: walls and
            lawns are alike in the first.
    """

    left: tuple[float | None, ...]
    moved: float

    @property
    def flat(self) -> bool:
        """There was nothing to hide."""
        return all(one is None for one in self.left)

    @property
    def gone(self) -> bool:
        """
        What was there cannot be made out any more.

        Of the longest waves a little more may be left if the next ones show that they are gone:
        cells and paint go on with what is around the place, and with nothing finer.
        """
        first, *finer = self._shares
        finest = max(finer, default=0.0)
        told = self.left[1:2] not in ((), (None,)) and finest <= _MAX_FINER
        limit = _MAX_LONGEST if told else _MAX_LEFT
        return self.moved <= _MAX_MOVED and finest <= _MAX_LEFT and first <= limit

    @property
    def most(self) -> float:
        """Return the greatest share that is left, 0 to 1."""
        return max(self.moved, *self._shares)

    @property
    def _shares(self) -> list[float]:
        return [share or 0.0 for share in self.left]


@dataclass(frozen=True, slots=True)
class _Move:
    """A way of mirroring, then a shift in samples down and across, and how well both fit."""

    fit: float
    way: tuple[int, int]
    shift: tuple[float, float]


def coarsest_hidden(rect: Rect) -> float:
    """
    Return the longest wave, in px, that an edit has to remove.

    A face of four waves a side (8 cells) is nobody's, a line of text of two waves a height is not
    read any more; longer waves may stay, or no blur would ever do.  Below 6 px there would be
    nothing to measure.
    """
    return max(min(rect.long / 4, rect.short / 2), _LEAST_WAVE)


def remaining(original: View, edited: View, rect: Rect, edit: Edit) -> Remaining:
    """Measure one region, octave by octave from the longest wave to the pixel's size."""
    inner = rect.shrunk(rect.margin)
    if edited.straight and _plain(edited.pixels[inner.slices]):
        return Remaining(tuple(_left_plain(original, rect)), 0.0)
    left: list[float | None] = []
    moved: tuple[Plane, Plane] | None = None
    for part, shape in _octaves(inner, coarsest_hidden(rect) / COARSEST):
        colours = edited.sample(part, shape)
        mains = np.stack([principal(original.sample(part, shape)), principal(colours)])
        coarse = len(left) < _MOVED_OCTAVES
        # Chroma is coded coarsely and slow to compare; fine octaves take one colour of it.
        waves = octave(np.concatenate([mains, opponent(colours)]) if coarse else mains)
        if not edited.straight:
            # The edge that is repeated beyond the edited picture's frame shows nothing.
            waves[1:] *= edited.inside(part, shape)
        left.append(_left(shown(waves[0], waves[1:], ratio=_RATIO), edit))
        if coarse and left[-1] is not None:
            moved = mains, waves[:2]
    return Remaining(tuple(left), _left_moved(*moved) if moved else 0.0)


def _plain(pixels: Pixels) -> bool:
    """Tell whether all pixels are of one colour, as they are within most boxes."""
    return bool((pixels[0] == pixels[0, 0]).all() and (pixels[1:] == pixels[:-1]).all())


def _left_plain(original: View, rect: Rect) -> Iterator[float | None]:
    """Give what ``remaining`` would find of each octave where the edit left one colour only."""
    for part, shape in _octaves(rect.shrunk(rect.margin), coarsest_hidden(rect) / COARSEST):
        waves = octave(principal(original.sample(part, shape)))
        yield _left(shown(waves, np.zeros_like(waves)[None], ratio=_RATIO), "box")


def _octaves(rect: Rect, step: float) -> Iterator[tuple[Rect, tuple[int, int]]]:
    """
    Give what to look at for each octave, and the shape that makes its waves 4 to 8 samples long.

    All steps but the first are whole pixels, which are much the fastest to sample.
    """
    for index in range(_MAX_OCTAVES):
        height, width = max(1, int(rect.height / step)), max(1, int(rect.width / step))
        if index and height * width > _MAX_SAMPLES:
            return
        bottom, right = rect.top + round(height * step), rect.left + round(width * step)
        yield Rect(rect.top, rect.left, bottom, right), (height, width)
        if step <= 1:
            return
        step = max(1, round(step / 2))


def _left(maps: Shown, edit: Edit) -> float | None:
    """
    Return the share of the structure that is left, None if there was too little.

    Faces and objects are round and their boxes are not: what is left in the corners is no fault if
    the ellipse that fills the box is clean and had its part of the structure.
    """
    if maps.there.mean() <= _LEAST_THERE:
        return None
    share = _share(maps, np.ones(maps.there.shape, np.bool_))
    height, width = maps.there.shape
    if edit in _ROUND_EDITS and max(height, width) <= _ROUND_ASPECT * min(height, width):
        ellipse = _ellipse(height, width)
        hidden = (maps.there & ellipse).sum() >= _LEAST_WITHIN * maps.there.sum()
        if hidden and _share(maps, ellipse) <= _MAX_LEFT_WITHIN:
            return _share(maps, ellipse)
    return share


def _share(maps: Shown, counted: NDArray[np.bool_]) -> float:
    there = maps.there & counted
    return float((maps.left & there).sum() / max(1, there.sum()))


def _ellipse(height: int, width: int) -> NDArray[np.bool_]:
    """Tell which windows lie wholly within the ellipse that fills the box."""
    ys = (np.arange(height) + 0.5) / height * 2 - 1
    xs = (np.arange(width) + 0.5) / width * 2 - 1
    radius = max(_LEAST_RADIUS, 1 - WINDOW / min(height, width))
    inside: NDArray[np.bool_] = ys[:, None] ** 2 + xs**2 < radius**2
    return inside


def _left_moved(mains: Plane, waves: Plane) -> float:
    """Mirror and shift the edited region to where it correlates best, whatever the sign."""
    original, edited = mains
    likely = sorted(_moves(waves), key=lambda move: -move.fit)[:_MOVES_TRIED]
    return max(_left_after(original, edited, move) for move in likely)


def _moves(waves: Plane) -> Iterator[_Move]:
    """Give the best shifts for each way of mirroring."""
    height, width = waves.shape[1:]
    reach = min(height, width) // 3
    size = _fast(height + reach), _fast(width + reach)
    original, edited = _levelled(waves)
    mirrored = np.stack([edited[::down, ::right] for down, right in _WAYS])
    products = np.fft.rfft2(original, size).conj() * np.fft.rfft2(mirrored, size)
    fits = np.roll(np.abs(np.fft.irfft2(products, size)), (reach, reach), (1, 2))
    for way, fit in zip(_WAYS, fits[:, : 2 * reach + 1, : 2 * reach + 1], strict=True):
        for _ in range(_PEAKS):
            y, x = (int(at) for at in np.unravel_index(int(fit.argmax()), fit.shape))
            shift = y - reach + _vertex(fit[:, x], y), x - reach + _vertex(fit[y], x)
            yield _Move(float(fit[y, x]), way, shift)
            fit[max(0, y - _PEAK) : y + _PEAK + 1, max(0, x - _PEAK) : x + _PEAK + 1] = 0


def _left_after(original: Plane, edited: Plane, move: _Move) -> float:
    """
    Compare what both share after a move.

    Both are cut to it before they are filtered, so that the filters meet the same edges in both.
    """
    down, right = move.way
    edited = edited[::down, ::right]
    for axis, shift in ((-2, move.shift[0]), (-1, move.shift[1])):
        at = np.arange(original.shape[axis]) + shift
        shared = np.flatnonzero((at >= 0) & (at <= original.shape[axis] - 1))
        original, edited = original.take(shared, axis), interpolated(edited, at[shared], axis)
    waves = octave(np.stack([original, edited]))
    maps = shown(waves[0], waves[1:], ratio=_RATIO)
    return _share(maps, maps.there)


def _vertex(values: Plane, at: int) -> float:
    """Return how far from the greatest sample the parabola through it has its top."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, top, after = (float(one) for one in values[at - 1 : at + 2])
    return (after - before) / 2 / max(2 * top - before - after, 1e-9)


def _levelled(waves: Plane) -> Plane:
    """Make all structure equally strong, or one edge would decide what fits."""
    levelled: Plane = waves / np.sqrt(box_mean(waves**2, WINDOW) + VISIBLE)
    return levelled


def _fast(count: int) -> int:
    """Round up to a length that Fourier transforms do quickly: 5, 6, 7 or 8 times 2**n."""
    unit = max(1, (1 << (count - 1).bit_length()) // 8)
    return -(-count // unit) * unit
