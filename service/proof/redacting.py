"""The deterministic edits that are enforced where a model's own proves nothing."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from service.proof import Pixels, Rect
from service.proof.sampling import Steps, area_means, between

STRENGTH = ("blur", "pixelate", "remove", "box", "block_image")
TEXTURED = ("blur", "pixelate")  # they leave a coarse picture behind

_CELLS = 8
_LEAST_CELL = 8
_RING = 3


def redact(picture: Pixels, original: Pixels, rect: Rect, edit: str) -> None:
    """
    Edit one rectangle in place so that nothing can be recovered.

    Args:
        picture: Written to.
        original: Read from; both height x width x 3.
        edit: One of ``STRENGTH``; a removal paints the colour around the place.
    """
    picture[rect.slices] = _EDITS[edit](original, rect)


def _pixelated(original: Pixels, rect: Rect) -> Pixels:
    """Average into 8 cells across the longer side, each 8 px or more where two fit."""
    cells = _averages(original, rect)
    rows = np.arange(rect.height) * cells.shape[0] // rect.height
    columns = np.arange(rect.width) * cells.shape[1] // rect.width
    spread: Pixels = cells[rows][:, columns]
    return spread


def _blurred(original: Pixels, rect: Rect) -> Pixels:
    """Run smoothly between the same cells: a blur alone could be undone in part."""
    cells = _averages(original, rect)
    columns = between(cells, _centres(rect.width, cells.shape[1]), 1)
    return between(columns, _centres(rect.height, cells.shape[0]), 0)


def _centres(count: int, cells: int) -> Steps:
    """Place ``count`` pixels among cells, counted from the centre of the first cell."""
    return (np.arange(count) + 0.5) / count * cells - 0.5


def _averages(original: Pixels, rect: Rect) -> Pixels:
    cell = max(1, -(-rect.long // _CELLS), min(_LEAST_CELL, rect.long // 2))
    shape = max(1, round(rect.height / cell)), max(1, round(rect.width / cell))
    means = np.rint(area_means(original, rect, shape)).astype(np.uint8)
    return np.moveaxis(means, 0, -1)


def _removed(original: Pixels, rect: Rect) -> Pixels:
    """Take the median of the pixels around; there are none around a whole picture."""
    outer = rect.grown(_RING, Rect.whole(original))
    keep = np.ones((outer.height, outer.width), np.bool_)
    keep[
        rect.top - outer.top : rect.bottom - outer.top,
        rect.left - outer.left : rect.right - outer.left,
    ] = False
    around = original[outer.slices][keep]
    colour = np.median(around, axis=0) if len(around) else np.zeros(3)
    return colour.astype(np.uint8)


def _boxed(original: Pixels, rect: Rect) -> Pixels:  # noqa: ARG001  All edits are called alike.
    return np.zeros(3, np.uint8)


_EDITS: Mapping[str, Callable[[Pixels, Rect], NDArray[np.uint8]]] = {
    "blur": _blurred,
    "pixelate": _pixelated,
    "remove": _removed,
    "box": _boxed,
    "block_image": _boxed,
}
