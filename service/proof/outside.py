"""What changed outside the declared regions, tile by tile."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.proof import Plane, Rect
from service.proof.sampling import View, luma

_LEAST_TILE = 8
_TILES = 64
_MEAN = 7.0
_MEAN_OF_ACTIVITY = 0.12
_REST = 7.0
_REST_OF_ACTIVITY = 0.45
_REST_OF_ACTIVITY_MOVED = 0.65  # edges lie up to half a sample off after resampling
_MAX_SHARE = 0.003
_MAX_SHARE_MOVED = 0.02  # resampling moves edges about, and the bounds of a region with them
_FEW = 2


@dataclass(frozen=True, slots=True)
class Outside:
    """
    Change outside the regions.

    Args:
        tiles: How many were compared.
        changed: How many changed more than coding and resampling explain.
        allowed: How many may, as strays.
        heat: At most 64 x 64 tiles of the whole picture, 0 to 255: 0 is equal, 128 the most that
            is explained, 255 twice that or more.
    """

    tiles: int
    changed: int
    allowed: int
    heat: NDArray[np.uint8]

    @property
    def share(self) -> float:
        """Changed tiles of those compared."""
        return self.changed / self.tiles if self.tiles else 0.0

    @property
    def faithful(self) -> bool:
        """Nothing but stray tiles changed."""
        return self.changed <= self.allowed


def outside(original: View, edited: View, regions: Iterable[Rect]) -> Outside:
    """Compare both pictures at about 512 samples a side, in square tiles of 8 or 9 samples."""
    whole = Rect.whole(original.pixels)
    shape = _shape(original, edited)
    before, after = original.sample(whole, shape), edited.sample(whole, shape)
    rows, columns = _starts(shape[0], max(shape)), _starts(shape[1], max(shape))
    compared = np.ones((len(rows), len(columns)), np.bool_)
    if not edited.straight:
        inside = edited.inside(whole, shape)[None].astype(np.float32)
        compared = _tiled(inside, rows, columns)[0] > 0.99
        # The picture's edge mixes with what lies beyond it, and chroma of a bar seeps in.
        compared[[0, -1]] = compared[:, [0, -1]] = False
    for rect in regions:
        grown = rect.grown(rect.margin + 1, whole)
        top, left, bottom, right = grown.cells(whole, compared.shape)
        compared[top:bottom, left:right] = False
    tolerance = _REST_OF_ACTIVITY if edited.straight else _REST_OF_ACTIVITY_MOVED
    excess = _excess(before, after, rows, columns, tolerance)
    heat = np.clip(excess * 128, 0, 255).astype(np.uint8)
    tiles, changed = int(compared.sum()), int((compared & (excess > 1)).sum())
    share = _MAX_SHARE if edited.straight else _MAX_SHARE_MOVED
    return Outside(tiles, changed, max(_FEW, round(share * tiles)), heat)


def _shape(original: View, edited: View) -> tuple[int, int]:
    """Choose samples no finer than those that either picture was reduced to."""
    height, width = original.base.shape[1:]
    finest = min(edited.rows.scale, edited.columns.scale) * original.block / edited.block
    return max(1, int(height * min(1.0, finest))), max(1, int(width * min(1.0, finest)))


def _starts(side: int, longest: int) -> NDArray[np.intp]:
    tile = max(_LEAST_TILE, -(-longest // _TILES))
    count = max(1, side // tile)
    return np.arange(count) * side // count


def _tiled(planes: Plane, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Plane:
    """Average tiles that begin at the given rows and columns (planes x height x width)."""
    heights = np.diff(rows, append=planes.shape[1])
    widths = np.diff(columns, append=planes.shape[2])
    # Whole rows are added much faster than reduceat adds the few of each tile; a tile has as many
    # as the others or one more.
    least = planes.shape[1] // len(rows)
    sums = planes[:, rows]
    for row in range(1, least):
        sums += planes[:, rows + row]
    taller = heights > least
    sums[:, taller] += planes[:, rows[taller] + least]
    sums = np.add.reduceat(sums, columns, axis=2)
    means: Plane = (sums / np.outer(heights, widths)).astype(np.float32)
    return means


def _excess(
    before: Plane, after: Plane, rows: NDArray[np.intp], columns: NDArray[np.intp], tolerance: float
) -> Plane:
    """Divide each tile's change by what is explained; above 1 it is not."""
    planes = np.empty((6, *before.shape[1:]), np.float32)
    change, detail, bright = planes[:3], planes[3], planes[4]
    np.subtract(after, before, out=change)
    bright[...] = luma(before)
    detail[...] = luma(change)
    detail **= 2
    np.square(bright, out=planes[5])
    means = _tiled(planes, rows, columns)
    colours, light = means[:3], means[4]
    rest = np.sqrt(np.maximum(means[3] - luma(colours) ** 2, 0))
    within = np.sqrt(np.maximum(means[5] - light**2, 0))
    # An edge may lie just between two flat tiles, and a little off in the edited picture.
    activity, lightest, darkest = _greatest_near(np.stack([within, light, -light]))
    activity = np.maximum(activity, (lightest + darkest) / 2)
    worst: Plane = np.maximum(
        np.abs(colours).max(axis=0) / (_MEAN + _MEAN_OF_ACTIVITY * activity),
        rest / (_REST + tolerance * activity),
    )
    return worst


def _greatest_near(tiles: Plane) -> Plane:
    """
    Take the greatest of each tile and its eight neighbours: edges shift from tile to tile.

    Args:
        tiles: planes x height x width.
    """
    rows = tiles.copy()
    np.maximum(rows[:, 1:], tiles[:, :-1], out=rows[:, 1:])
    np.maximum(rows[:, :-1], tiles[:, 1:], out=rows[:, :-1])
    greatest = rows.copy()
    np.maximum(greatest[..., 1:], rows[..., :-1], out=greatest[..., 1:])
    np.maximum(greatest[..., :-1], rows[..., 1:], out=greatest[..., :-1])
    return greatest
