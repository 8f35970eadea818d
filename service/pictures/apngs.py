"""
Plays animated PNGs as browsers do; Pillow's own composing differs where frames are half transparent
or do not cover the screen.
Pillow runs here, so only the limited child and the tests import this module.

Source: PNG third edition, 11.3.6 (acTL, fcTL, fdAT).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image

from service.pictures import colours, formats, screens
from service.pictures.formats import Malformed
from service.pictures.screens import Paint, Render

_START: Final = b"\x89PNG\r\n\x1a\n"
_AFTERWARDS: Final[tuple[Literal["keep", "clear", "restore"], ...]] = ("keep", "clear", "restore")
_NEEDED: Final = frozenset({b"PLTE", b"tRNS"})


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What a file is made of: chunks that every frame needs, the packed pixels of the picture that
    only viewers without animation show (empty without one), and of each frame its control and its
    packed pixels.
    """

    shared: bytes
    still: bytes
    frames: list[tuple[bytes, bytes]]


def parts(data: bytes) -> Parts:
    """
    Take a file apart.

    Raises:
        Malformed: A frame is damaged, out of order, without pixels or beyond the screen.
    """
    shared: dict[bytes, bytes] = {}
    expected = 0
    still: list[bytes] = []
    frames: list[tuple[bytes, list[bytes]]] = []
    for kind, body in _checked(data):
        if kind in _NEEDED:
            shared.setdefault(kind, _chunk(kind, body))
        elif kind == b"IDAT":
            (frames[-1][1] if frames else still).append(body)
        elif kind in (b"fcTL", b"fdAT"):
            if int.from_bytes(body[:4], "big") != expected:
                raise Malformed("frames out of order")
            expected += 1
            if kind == b"fcTL":
                frames.append((body, []))
            elif frames:
                frames[-1][1].append(body[4:])
    if not frames or not all(packed for _, packed in frames):
        raise Malformed("a frame without pixels")
    if not still and frames[0][0][4:20] != data[16:24] + bytes(8):
        raise Malformed("a first frame that does not fill the screen")
    return Parts(
        b"".join(shared.values()),
        b"".join(still),
        [(control, b"".join(packed)) for control, packed in frames],
    )


def play(data: bytes, found: Parts, profile: bytes | None) -> Iterator[Render]:
    """Compose the frames; the picture that only other viewers show comes last."""
    size = struct.unpack_from(">II", data, 16)
    paints = (_paint(data, found.shared, frame, profile) for frame in found.frames)
    yield from screens.play(size, paints)
    if found.still:
        yield lambda: _white(_decoded(data, found.shared, size, found.still), data, profile)


def _checked(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, start, length in formats.png_chunks(data):
        body = data[start : start + length]
        if kind in _NEEDED | {b"IDAT", b"fcTL", b"fdAT"}:
            if data[start + length : start + length + 4] != _sum(kind, body):
                raise Malformed(f"a damaged {kind.decode()}")
            yield kind, body


def _paint(data: bytes, shared: bytes, frame: tuple[bytes, bytes], profile: bytes | None) -> Paint:
    control, packed = frame
    width, height, left, top, afterwards, blends = struct.unpack(">4x4I4x2B", control)
    screen = struct.unpack_from(">II", data, 16)
    if left + width > screen[0] or top + height > screen[1] or afterwards > 2:
        raise Malformed("a frame beyond the screen")
    image = _decoded(data, shared, (width, height), packed)
    if blends:
        pixels, mask = colours.shown(image, profile, depth=data[24])
    else:
        pixels, mask = _white(image, data, profile), None
    return Paint(left, top, pixels, mask, _AFTERWARDS[afterwards])


def _white(image: Image.Image, data: bytes, profile: bytes | None) -> Image.Image:
    return colours.on_white(image, profile, depth=data[24])


def _decoded(data: bytes, shared: bytes, size: tuple[int, int], packed: bytes) -> Image.Image:
    """Decode one frame as a file of its own."""
    header = _chunk(b"IHDR", struct.pack(">II", *size) + data[24:29])
    file = _START + header + shared + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    image = Image.open(io.BytesIO(file), formats=["PNG"])
    image.load()
    return image


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + _sum(kind, body)


def _sum(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
