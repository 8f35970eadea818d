"""
Composes animations as browsers do: each frame paints a part of a screen, some parts go away again.
Pillow runs here, so only the limited child and the tests import this module.

The screen is white from the begin: to blend onto nothing and show that on white is the same as to
blend onto white, and a screen without alpha needs half the memory.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from service.pictures.colours import WHITE

Render = Callable[[], Image.Image]


@dataclass(frozen=True, slots=True)
class Paint:
    """
    What one frame paints at ``left``, ``top``.

    ``pixels`` (RGB) cover the screen where ``mask`` (L) is 255, everywhere without one;
    ``afterwards`` their place is kept, cleared to white, or restored to what it showed before.
    """

    left: int
    top: int
    pixels: Image.Image
    mask: Image.Image | None
    afterwards: Literal["keep", "clear", "restore"]


def play(size: tuple[int, int], paints: Iterable[Paint]) -> Iterator[Render]:
    """Compose one screen after another; what is painted outside of it is cut off."""
    screen = Image.new("RGB", size, WHITE)
    for paint in paints:
        right, bottom = paint.left + paint.pixels.width, paint.top + paint.pixels.height
        box = (paint.left, paint.top, right, bottom)
        before = screen.crop(box) if paint.afterwards == "restore" else None
        clears = paint.afterwards == "clear"
        screen.paste(paint.pixels, box, paint.mask)
        # Two frames of a large file at a time would not fit into the memory of a child.
        del paint
        yield screen.copy
        if before is not None:
            screen.paste(before, box)
        elif clears:
            screen.paste(WHITE, box)
