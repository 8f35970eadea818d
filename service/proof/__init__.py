"""
Proof of edits: what one changed, what it left, and a final picture that owes nothing to trust.
What the modules share stands here.  NumPy only: all of this also runs in the limited child.
"""

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]
Box = tuple[int, int, int, int]
Edit = Literal["none", "blur", "pixelate", "box", "remove", "block_image"]

FULL = 1000  # of a box's numbers
_MARGIN = 16
_ROUNDING = 2


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle of pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def whole(cls, pixels: Pixels) -> Self:
        """Return the rectangle of all pixels of a picture."""
        return cls(0, 0, pixels.shape[0], pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def short(self) -> int:
        """Pixels of the shorter side."""
        return min(self.height, self.width)

    @property
    def long(self) -> int:
        """Pixels of the longer side."""
        return max(self.height, self.width)

    @property
    def margin(self) -> int:
        """
        Pixels at each edge where nothing is proven.

        An edit may fade in over them; and thousandths, rounded outwards, miss pixels by up to two.
        A confined picture fades in over at most as many.
        """
        return max(min(_ROUNDING, self.short // 6), self.short // _MARGIN)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the rows and columns, to index a picture with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def cells(self, whole: "Rect", shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """
        Return top, left, bottom and right on a grid of ``shape`` laid over ``whole``.

        Cells that are met in part count.
        """
        rows, columns = shape
        return (
            self.top * rows // whole.height,
            self.left * columns // whole.width,
            -(-self.bottom * rows // whole.height),
            -(-self.right * columns // whole.width),
        )

    def shrunk(self, by: int) -> "Rect":
        """Take ``by`` px off each edge; the caller sees to it that something is left."""
        return Rect(self.top + by, self.left + by, self.bottom - by, self.right - by)

    def grown(self, by: int, within: "Rect") -> "Rect":
        """Add ``by`` px at each edge, cut to another rectangle."""
        return Rect(
            max(within.top, self.top - by),
            max(within.left, self.left - by),
            min(within.bottom, self.bottom + by),
            min(within.right, self.right + by),
        )


@dataclass(frozen=True, slots=True)
class Region:
    """
    One place of the original that a rule wants edited.

    ``box`` is (ymin, xmin, ymax, xmax) in thousandths of the original, None for all of it;
    ``seen`` are the kinds of things that detectors still found there, whatever the edit looks like.

    Raises:
        ValueError: The box is inside out or leaves the picture.
    """

    box: Box | None
    edit: Edit
    rule: str
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.box is not None:
            ymin, xmin, ymax, xmax = self.box
            if not (0 <= ymin <= ymax <= FULL and 0 <= xmin <= xmax <= FULL):
                raise ValueError(f"{self.box} is no box of ymin, xmin, ymax, xmax from 0 to 1000")

    def rect(self, whole: Rect) -> Rect:
        """
        Return the pixels of the region, rounded outwards and at least one.

        Blocking the image covers all of it, wherever the reason for it was found.
        """
        if self.box is None or self.edit == "block_image":
            return whole
        ymin, xmin, ymax, xmax = self.box
        top, bottom = _pixels(ymin, ymax, whole.height)
        left, right = _pixels(xmin, xmax, whole.width)
        return Rect(top, left, bottom, right)


def _pixels(low: int, high: int, side: int) -> tuple[int, int]:
    first = min(low * side // FULL, side - 1)
    return first, max(first + 1, math.ceil(high * side / FULL))
