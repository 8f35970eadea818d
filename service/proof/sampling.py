"""Area means, box means and lines between samples, by sums and slices instead of convolutions."""

import functools
import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.proof import Pixels, Plane, Rect

_BASE_SIDE = 512
_MAX_BLOCK = 256  # sums of 256 bytes still fit 16 bits
_MOST_IN_16_BIT = 257  # bytes whose sum always fits
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Steps = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where a coordinate of the original lies in the edited picture, along one axis, in pixels."""

    scale: float = 1.0
    shift: float = 0.0

    def __call__(self, at: Steps) -> Steps:
        """Map positions; 0 is the outer edge of the first pixel."""
        return np.asarray(self.scale * at + self.shift)


SAME = Mapping()


@dataclass(frozen=True, slots=True)
class View:
    """
    A picture seen through the original's coordinates.

    Args:
        pixels: height x width x 3, 0 to 255.
        base: The same reduced once for everything coarse, 3 x height x width.
        bright: Its luma, height x width.
        block: Pixels a side that one sample of ``base`` averages.
    """

    pixels: Pixels
    base: Plane
    bright: Plane
    block: int
    rows: Mapping = SAME
    columns: Mapping = SAME

    @classmethod
    def of(cls, pixels: Pixels) -> Self:
        """See a picture through its own coordinates."""
        height, width, _ = pixels.shape
        block = min(max(1, round(max(height, width) / _BASE_SIDE)), height, width)
        base = _blocks(pixels, block, block)
        return cls(pixels, base, luma(base), block)

    @property
    def straight(self) -> bool:
        """Tell whether both pictures have the same pixels at the same places."""
        return self.rows == self.columns == SAME

    def brightness(self, shape: tuple[int, int]) -> Plane:
        """Return the luma of the whole picture, whatever its coordinates, height x width."""
        ys = _lines(0, self.pixels.shape[0] / self.block, shape[0])
        xs = _lines(0, self.pixels.shape[1] / self.block, shape[1])
        return _resampled(self.bright, ys, xs)

    def moved(self, rows: Mapping, columns: Mapping) -> "View":
        """See the same picture through other coordinates."""
        return replace(self, rows=rows, columns=columns)

    def sample(self, rect: Rect, shape: tuple[int, int]) -> Plane:
        """
        Resample one rectangle of the original's grid to means of areas.

        What lies beyond the picture repeats its edge.

        Args:
            shape: Height and width of what is wanted.

        Returns:
            3 x height x width, 0 to 255.
        """
        ys, xs = self._edges(rect, shape)
        step = min((ys[-1] - ys[0]) / shape[0], (xs[-1] - xs[0]) / shape[1])
        if step < self.block:
            return _area_means(self.pixels, ys, xs)
        return _resampled(self.base, ys / self.block, xs / self.block)

    def inside(self, rect: Rect, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Tell which cells of ``sample`` lie in the picture with all of their area."""
        ys, xs = self._edges(rect, shape)
        height, width, _ = self.pixels.shape
        return np.outer(_within(ys, height), _within(xs, width))

    def window(self, rect: Rect) -> Pixels:
        """Resample one rectangle at the original's own resolution, height x width x 3."""
        if self.straight:
            return self.pixels[rect.slices]
        ys = self.rows(np.arange(rect.top, rect.bottom) + 0.5)
        xs = self.columns(np.arange(rect.left, rect.right) + 0.5)
        first = int(np.clip(ys[0] - 0.5, 0, self.pixels.shape[0] - 1))
        last = int(np.clip(ys[-1] + 1.5, first + 1, self.pixels.shape[0]))
        columns = between(self.pixels[first:last], xs - 0.5, 1)
        return between(columns, ys - 0.5 - first, 0)

    def _edges(self, rect: Rect, shape: tuple[int, int]) -> tuple[Steps, Steps]:
        ys = _lines(rect.top, rect.bottom, shape[0])
        xs = _lines(rect.left, rect.right, shape[1])
        return self.rows(ys), self.columns(xs)


def area_means(pixels: Pixels, rect: Rect, shape: tuple[int, int]) -> Plane:
    """Average the cells of a rectangle that is divided into ``shape``: 3 x height x width."""
    ys, xs = _lines(rect.top, rect.bottom, shape[0]), _lines(rect.left, rect.right, shape[1])
    return _area_means(pixels, ys, xs)


def _lines(first: float, last: float, cells: int) -> Steps:
    """Give the edges of equal cells; ``linspace`` takes thrice the time."""
    return first + np.arange(cells + 1) * ((last - first) / cells)


def luma(colours: Plane) -> Plane:
    """Return the brightness (ITU-R BT.601) of 3 x height x width colours."""
    bright: Plane = (_LUMA @ colours.reshape(3, -1)).reshape(colours.shape[1:])
    return bright


def between(pixels: Pixels, at: Steps, axis: int) -> Pixels:
    """
    Read between pixels along one axis of height x width x 3, in 8 bit fixed point.

    ``at`` counts pixels from the centre of the first one; beyond the ends it reads the last pixel.
    """
    at = np.clip(at, 0, pixels.shape[axis] - 1)
    low = np.minimum(at.astype(np.intp), max(pixels.shape[axis] - 2, 0))
    high = np.minimum(low + 1, pixels.shape[axis] - 1)
    part = np.rint((at - low) * 256).astype(np.uint16)
    part = part.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    mixed = pixels.take(low, axis) * (256 - part)
    mixed += pixels.take(high, axis) * part
    mixed += 128
    mixed >>= 8
    return mixed.astype(np.uint8)


def interpolated(values: Plane, at: Steps, axis: int) -> Plane:
    """Read between samples along axis -2 or -1; ``at`` counts samples and is clipped to them."""
    side = values.shape[axis]
    at = np.minimum(np.maximum(at, 0), side - 1)
    low = np.minimum(at.astype(np.intp), max(side - 2, 0))
    first = values.take(low, axis)
    read: Plane = values.take(np.minimum(low + 1, side - 1), axis)
    read -= first
    read *= (at - low).astype(np.float32).reshape((-1, 1) if axis == -2 else (1, -1))
    read += first
    return read


def box_mean(values: Plane, side: int) -> Plane:
    """Average the last two axes over ``side`` x ``side`` (odd) samples; at the edges over fewer."""
    half = side // 2
    height, width = values.shape[-2:]
    padded = np.zeros((*values.shape[:-2], height + 2 * half, width + 2 * half), np.float32)
    padded[..., half : half + height, half : half + width] = values
    both = _running(_running(padded, side, height, -2), side, width, -1)
    both /= _counts(height, width, half)
    return both


def _running(values: Plane, side: int, count: int, axis: int) -> Plane:
    """Sum ``side`` neighbours from sums of 2, 4, 8 ... of them."""
    # An odd side always takes one sample alone.
    total = _slice(values, 0, count, axis)
    offset, size = 1, 1
    while 2 * size <= side:
        length = values.shape[axis] - size
        values = _slice(values, 0, length, axis) + _slice(values, size, length, axis)
        size *= 2
        if side & size:
            total = total + _slice(values, offset, count, axis)
            offset += size
    return total


def _slice(values: Plane, start: int, count: int, axis: int) -> Plane:
    if axis == -1:
        return values[..., start : start + count]
    return values[..., start : start + count, :]


@functools.lru_cache(maxsize=64)
def _counts(height: int, width: int, half: int) -> Plane:
    """Tell how many of the samples around each one there are."""
    rows, columns = (
        np.minimum(np.arange(side) + half, side - 1) - np.maximum(np.arange(side) - half, 0) + 1
        for side in (height, width)
    )
    counts: Plane = np.outer(rows, columns).astype(np.float32)
    return counts


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one axis is reduced: source pixels, pixels a block, and cell edges in blocks."""

    first: int
    last: int
    block: int
    edges: Steps


def _plan(edges: Steps, side: int) -> _Plan:
    # Scalars: NumPy takes longer over one number than over a hundred.
    begin, end = float(edges[0]), float(edges[-1])
    step = (end - begin) / (len(edges) - 1)
    block = min(max(math.floor(step + 1e-6), 1), _MAX_BLOCK, side)
    first = min(max(math.floor(begin + 1e-6), 0), side - block)
    wanted = math.ceil((min(end, side) - first) / block - 1e-6)
    blocks = min(max(wanted, 1), (side - first) // block)
    return _Plan(first, first + blocks * block, block, (edges - first) / block)


def _area_means(pixels: Pixels, ys: Steps, xs: Steps) -> Plane:
    """Average whole blocks first, as large as fit a cell."""
    rows, columns = _plan(ys, pixels.shape[0]), _plan(xs, pixels.shape[1])
    part = pixels[rows.first : rows.last, columns.first : columns.last]
    return _resampled(_blocks(part, rows.block, columns.block), rows.edges, columns.edges)


def _blocks(part: Pixels, tall: int, wide: int) -> Plane:
    """Average blocks of ``tall`` x ``wide`` px into 3 x height x width; a part block is cut off."""
    height, width = part.shape[0] // tall, part.shape[1] // wide
    part = part[: height * tall, : width * wide]
    rows = part.reshape(height, tall, width * wide * 3)
    # NumPy sums whole rows fast, and every other of a few columns only slice by slice.
    sums = np.add.reduce(rows, axis=1, dtype=np.uint16) if tall > 1 else rows[:, 0]
    whole = np.uint16 if tall * wide <= _MOST_IN_16_BIT else np.uint32
    means = np.empty((3, height, width), np.float32)
    for colour in range(3):
        total = sums[:, colour :: 3 * wide]
        for column in range(1, wide):
            total = np.add(total, sums[:, colour + 3 * column :: 3 * wide], dtype=whole)
        np.multiply(total, np.float32(1 / (tall * wide)), out=means[colour])
    return means


def _resampled(planes: Plane, ys: Steps, xs: Steps) -> Plane:
    """Resample to cells with the given edges, from the part of the planes that they need."""
    rows, columns = _needed(ys, planes.shape[-2]), _needed(xs, planes.shape[-1])
    part = planes[..., rows, columns]
    return _along(_along(part, ys - rows.start, -2), xs - columns.start, -1)


def _needed(edges: Steps, side: int) -> slice:
    """Tell which samples cells reach, and at least one where they lie beyond them all."""
    first = min(max(math.floor(edges[0]) - 1, 0), side - 1)
    return slice(first, min(max(math.ceil(edges[-1]) + 1, first + 1), side))


def _along(planes: Plane, edges: Steps, axis: int) -> Plane:
    """
    Resample one axis to cells with the given edges, which count samples.

    A cell is the mean of as many places in it as it spans samples, but of one at least.
    """
    side, count = planes.shape[axis], len(edges) - 1
    step = float(edges[-1] - edges[0]) / count
    start = float(edges[0] + edges[1]) / 2 - 0.5
    first = round(start)
    whole = abs(step - 1) < 1e-6 and abs(start - first) < 1e-6
    if whole and first >= 0 and first + count <= side:
        return _slice(planes, first, count, axis)
    centres = (edges[:-1] + edges[1:]) / 2 - 0.5
    places = max(1, round(step))
    offsets = ((np.arange(places) + 0.5) / places - 0.5) * step
    # Otherwise each reading would copy all of it again.
    planes = np.ascontiguousarray(planes)
    total = interpolated(planes, centres + offsets[0], axis)
    for offset in offsets[1:]:
        total += interpolated(planes, centres + offset, axis)
    return total / np.float32(places)


def _within(edges: Steps, side: int) -> NDArray[np.bool_]:
    # Half a pixel of doubt is less than the registration's own.
    return (edges[:-1] > -0.5) & (edges[1:] < side + 0.5)
