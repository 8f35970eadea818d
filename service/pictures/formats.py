"""
Sizes, frames and metadata of JPEG, PNG, GIF and WebP bytes, read without decoding anything.
Each reader takes the whole file; what it cannot follow is ``Malformed``.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

MAX_PARTS = 32_768  # segments, chunks or boxes that one reader follows
MAX_GIF_BLOCKS = 200_000  # a 25 MB GIF made of full blocks has 98,000
GIF_PICTURE = 0x2C  # an image descriptor

_FILL_BYTES = re.compile(rb"\xff+")
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_TEXT = frozenset({0xFE, *range(0xE0, 0xF0)})
_PNG_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
_PNG_FACTS = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"})
_WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})


class Malformed(ValueError):
    """The bytes start like the format and do not go on like it."""


@dataclass(frozen=True, slots=True)
class Header:
    """
    What a picture says about itself, before it is decoded and before it is turned upright.

    ``width`` and ``height`` are pixels of the canvas, ``frames`` is at least 1, ``lossless`` tells
    whether the stored pixels are the author's own, ``metadata_bytes`` counts EXIF, XMP, colour
    profile, text and unknown parts.
    """

    mime: str
    width: int
    height: int
    frames: int
    lossless: bool
    metadata_bytes: int


def jpeg(data: bytes) -> Header:
    """Read the one frame header in front of the first scan.  Source: ITU-T T.81, annex B."""
    size: tuple[int, int] | None = None
    metadata, pictures = 0, None
    for marker, position, length in _jpeg_segments(data):
        if marker in _JPEG_SIZES:
            if size is not None:
                raise Malformed("two frame headers")
            size = struct.unpack_from(">HH", data, position + 3)
        elif marker in _JPEG_TEXT:
            metadata += length
            if marker == 0xE2 and data.startswith(b"MPF\0", position + 2):
                # Each costs time to read, and programs would differ in which one they believe.
                if pictures is not None:
                    raise Malformed("two indexes of pictures")
                pictures = len(_mpf_places(data, position + 6))
    if size is None:
        raise Malformed("no frame header")
    return Header("image/jpeg", size[1], size[0], max(1, pictures or 1), False, metadata)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Give marker, place of the length field and length of each segment before the first scan."""
    position = 2
    for _ in range(MAX_PARTS):
        fill = _FILL_BYTES.match(data, position)
        if fill is None or fill.end() + 3 > len(data):
            return
        marker, position = data[fill.end()], fill.end() + 1
        if marker in _JPEG_ALONE:
            continue
        if marker < 0xC0 or marker in (0xD9, 0xDA):
            return
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise Malformed(f"a segment of {length} bytes")
        yield marker, position, length
        position += length
    raise Malformed(f"more than {MAX_PARTS} segments")


def mpf_places(data: bytes) -> list[int]:
    """Give where each picture of a Multi-Picture file begins; none for any other JPEG."""
    for marker, position, _ in _jpeg_segments(data):
        if marker == 0xE2 and data.startswith(b"MPF\0", position + 2):
            return _mpf_places(data, position + 6)
    return []


def _mpf_places(data: bytes, base: int) -> list[int]:
    """
    Read a Multi-Picture index, whose first picture is the file itself; none where it is damaged.

    Source: CIPA DC-007, 5.2.3: tag 0xB002 of a TIFF directory at ``base``, 16 bytes a picture.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[base : base + 2])
    if order is None:
        return []
    # A viewer shows the first picture of a file whose index is damaged, so damage is no fault.
    with suppress(struct.error):
        (offset,) = struct.unpack_from(f"{order}I", data, base + 4)
        (entries,) = struct.unpack_from(f"{order}H", data, base + offset)
        for entry in range(min(entries, 16)):
            at = base + offset + 2 + 12 * entry
            tag, _, length, value = struct.unpack_from(f"{order}HHII", data, at)
            if tag == 0xB002:
                count = min(length // 16, MAX_PARTS)
                first = base + value + 8
                places = [
                    struct.unpack_from(f"{order}I", data, first + 16 * n)[0] for n in range(count)
                ]
                return [base + place if place else 0 for place in places]
    return []


def png(data: bytes) -> Header:
    """Walk the chunks to the end.  Source: PNG third edition, 5.3 and 11.2 to 11.3."""
    length, kind, width, height = struct.unpack_from(">I4sII", data, 8)
    if kind != b"IHDR" or length != 13 or len(data) < 33:
        raise Malformed("it does not begin with an IHDR of 13 bytes")
    metadata, announced, controls, animated, pixels, still = 0, 0, 0, False, False, False
    for kind, start, length in png_chunks(data):
        if kind == b"acTL" and not pixels:
            (announced,) = struct.unpack_from(">I", data, start)
            animated = True
        controls += kind == b"fcTL"
        # Pixels before the first frame's control are a picture for viewers without animation.
        still = still or (kind == b"IDAT" and not controls)
        pixels = pixels or kind == b"IDAT"
        # A small first letter marks a chunk that a decoder may skip.
        if kind[0] & 0x20 and kind not in _PNG_ANIMATION:
            metadata += length
    frames = max(1, announced, controls) + still if animated else 1
    return Header("image/png", width, height, frames, True, metadata)


def png_facts(data: bytes) -> dict[bytes, bytes]:
    """Give colour and EXIF chunks; the first of each kind, and only before the pixels, counts."""
    facts: dict[bytes, bytes] = {}
    for kind, start, length in png_chunks(data):
        if kind == b"IDAT":
            break
        if kind in _PNG_FACTS:
            facts.setdefault(kind, data[start : start + length])
    return facts


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Give kind, begin and length of the content of each chunk between IHDR and IEND."""
    position = 33
    for _ in range(MAX_PARTS):
        if position + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            return
        yield kind, position + 8, length
        position += 12 + length
    raise Malformed(f"more than {MAX_PARTS} chunks")


def gif(data: bytes) -> Header:
    """Walk the blocks to the trailer.  Source: GIF89a specification, 18 to 27."""
    width, height = struct.unpack_from("<HH", data, 6)
    metadata, frames = 0, 0
    for label, start, end in gif_blocks(data):
        # Comments, applications (XMP among them) and plain text are no pixels.
        if label in (0x01, 0xFE, 0xFF):
            metadata += end - start
        elif label == GIF_PICTURE:
            left, top, wide, high = struct.unpack_from("<HHHH", data, start + 1)
            width, height, frames = max(width, left + wide), max(height, top + high), frames + 1
    return Header("image/gif", width, height, max(1, frames), True, metadata)


def gif_blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """
    Give label (or ``GIF_PICTURE``), begin and end of each block up to the trailer.

    What is neither extension nor picture ends the walk, as it ends a viewer's.
    """
    position, blocks = 13 + gif_palette_bytes(data[10]), 0
    while position + 10 <= len(data):
        kind, label, start = data[position], data[position + 1], position
        if kind == 0x21:
            position += 2
        elif kind == GIF_PICTURE:
            label = kind
            position += 11 + gif_palette_bytes(data[position + 9])
        else:
            return
        position, blocks = _after_blocks(data, position, blocks)
        yield label, start, position


def gif_palette_bytes(packed: int) -> int:
    """Give the length of the palette that a field of flags announces."""
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _after_blocks(data: bytes, position: int, blocks: int) -> tuple[int, int]:
    """Skip a chain of sub-blocks; gives the place after it and the blocks counted so far."""
    end = len(data)
    while True:
        blocks += 1
        if blocks > MAX_GIF_BLOCKS:
            raise Malformed(f"more than {MAX_GIF_BLOCKS} blocks")
        if position >= end or data[position] == 0:
            return position + 1, blocks
        position += data[position] + 1


def webp(data: bytes) -> Header:
    """Read the canvas, then walk the chunks.  Source: RFC 9649, 2.3 to 2.7."""
    width, height = _webp_canvas(data)
    metadata, animation_frames, lossless, position = 0, 0, False, 12
    # What follows the length that the file itself gives is no part of the picture.
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    for _ in range(MAX_PARTS):
        if position + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        animation_frames += kind == b"ANMF"
        lossless = lossless or kind == b"VP8L"
        metadata += length if kind not in _WEBP_PIXELS else 0
        position += 8 + length + (length & 1)
    else:
        raise Malformed(f"more than {MAX_PARTS} chunks")
    still = animation_frames == 0
    frames = max(1, animation_frames)
    return Header("image/webp", width, height, frames, lossless and still, metadata)


def _webp_canvas(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8L" and data[20:21] == b"\x2f":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise Malformed("no picture chunk at its begin")
