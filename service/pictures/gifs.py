"""
Plays GIFs as browsers do, which differs from Pillow's own way: a cleared place shows what is behind
the picture, and what later frames paint outside of the screen is cut.
Pillow runs here, so only the limited child and the tests import this module.

Source: GIF89a specification, 20 (image descriptor) and 23 (graphic control).
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image

from service.pictures import formats, screens
from service.pictures.formats import Malformed
from service.pictures.screens import Paint, Render

_CONTROL: Final = 0xF9
_TRAILER: Final = 0x3B
# Browsers take 4 for 3.
_AFTERWARDS: Final[Mapping[int, Literal["clear", "restore"]]] = {
    2: "clear",
    3: "restore",
    4: "restore",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One image of a file: the control block before it (empty without one), its begin and end."""

    control: bytes
    begin: int
    end: int


def blocks(data: bytes) -> list[Block]:
    """
    Find a file's images.

    Raises:
        Malformed: There is none, or something else than the end follows the last block.
    """
    found, control, end = [], b"", 13 + formats.gif_palette_bytes(data[10])
    for label, begin, end in formats.gif_blocks(data):
        if label == formats.GIF_PICTURE:
            found.append(Block(control, begin, end))
            control = b""
        elif label == _CONTROL and end - begin == 8:
            control = data[begin:end]
    if not found or (end < len(data) and data[end] != _TRAILER):
        raise Malformed(f"after {len(found)} images no end")
    return found


def play(data: bytes, found: list[Block]) -> Iterator[Render]:
    """Compose the frames.  The first image may enlarge the screen, as it does in Chromium."""
    width, height = struct.unpack_from("<HH", data, 6)
    left, top, wide, high = struct.unpack_from("<HHHH", data, found[0].begin + 1)
    size = max(width, left + wide), max(height, top + high)
    return screens.play(size, (_paint(data, block) for block in found))


def _paint(data: bytes, block: Block) -> Paint:
    """Decode one image as a file of its own, whose screen is that image."""
    left, top = struct.unpack_from("<HH", data, block.begin + 1)
    size, palette_end = (
        data[block.begin + 5 : block.begin + 9],
        13 + formats.gif_palette_bytes(data[10]),
    )
    file = (
        *(b"GIF89a", size, data[10:palette_end], block.control),
        *(b",", bytes(4), size, data[block.begin + 9 : block.end], b";"),
    )
    image = Image.open(io.BytesIO(b"".join(file)), formats=["GIF"])
    image.load()
    clear = image.info.get("transparency")
    mask = None
    if clear is not None:
        mask = image.point([0 if level == clear else 255 for level in range(256)], "L")
    disposal = block.control[3] >> 2 & 7 if block.control else 0
    return Paint(left, top, image.convert("RGB"), mask, _AFTERWARDS.get(disposal, "keep"))
