"""Builds files by hand where encoders would not: every field as an attacker would set it."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.hostile import drawing
from tests.pictures.samples import chunk, png

# Red, green and blue of sRGB as a profile has them (D50).
SRGB = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
PNG_START = b"\x89PNG\r\n\x1a\n"


def wide_png(samples: NDArray[np.float64], *, depth: int = 8, extra: bytes = b"") -> bytes:
    """Make a PNG of 8 or 16 bits from samples (0 to 1) of 1 to 4 channels."""
    height, width = samples.shape[:2]
    top = (1 << depth) - 1
    whole = np.round(np.clip(samples, 0, 1) * top).astype(">u2" if depth == 16 else np.uint8)
    return raw_png(whole.reshape(height, width, -1), depth=depth, extra=extra)


def raw_png(whole: NDArray[np.generic], *, depth: int, extra: bytes = b"") -> bytes:
    """Make a PNG from samples as they are to stand in the file."""
    height, width, channels = whole.shape
    rows = b"".join(b"\0" + row.tobytes() for row in whole)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png(width, height, depth=depth, colour=colour, rows=rows, extra=extra)


def interlaced_png(image: Image.Image) -> bytes:
    """Make a PNG of seven passes.  Source: PNG third edition, 8.2."""
    samples, packed = np.asarray(image.convert("RGB")), b""
    for left, top, right, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        rows = samples[top::down, left::right]
        packed += b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    pixels = chunk(b"IDAT", zlib.compress(packed))
    return PNG_START + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def after_header(data: bytes, extra: bytes) -> bytes:
    """Put chunks before the pixels of a PNG."""
    return data[:33] + extra + data[33:]


def before_end(data: bytes, extra: bytes) -> bytes:
    """Put chunks behind the pixels of a PNG."""
    return data[:-12] + extra + data[-12:]


def gamma(value: float) -> bytes:
    """Make a gAMA chunk."""
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chromaticities(*values: float) -> bytes:
    """Make a cHRM chunk: x and y of white, red, green and blue."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


def code_points(primaries: int, transfer: int) -> bytes:
    """Make a cICP chunk."""
    return chunk(b"cICP", bytes((primaries, transfer, 0, 1)))


def packed_profile(profile: bytes) -> bytes:
    """Make an iCCP chunk."""
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))


def profile(
    gamma: float,
    order: Sequence[int] = (0, 1, 2),
    *,
    kind: bytes = b"mntr",
    space: bytes = b"RGB ",
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """Make an ICC profile (v2) with sRGB's primaries, given out in another order, and a gamma."""
    curve = b"curv" + struct.pack(">IIHxx", 0, 1, round(gamma * 256))
    tags = [(b"wtpt", _xyz((0.9642, 1.0, 0.8249))), *extra]
    if space == b"GRAY":
        tags.append((b"kTRC", curve))
    else:
        names = (b"rXYZ", b"gXYZ", b"bXYZ")
        tags += [(name, _xyz(SRGB[which])) for name, which in zip(names, order, strict=True)]
        tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    begin, directory, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags:
        directory += struct.pack(">4sII", name, begin + len(body), len(content))
        body += content
    head = struct.pack(">I4xI4s4s4s12x", begin + len(body), 0x02400000, kind, space, b"XYZ ")
    white = struct.pack(">3i", 63_190, 65_536, 54_061)
    return head + b"acsp" + bytes(28) + white + bytes(48) + directory + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(value * 65_536) for value in values))


def exif(orientation: int, *, kind: int = 3, order: str = ">") -> bytes:
    """Make EXIF (without its name) that holds an orientation: SHORT (3) or LONG (4)."""
    start = b"MM\0*" if order == ">" else b"II*\0"
    value = struct.pack(f"{order}HH", orientation, 0)
    if kind == 4:
        value = struct.pack(f"{order}I", orientation)
    entry = struct.pack(f"{order}HHI", 0x0112, kind, 1) + value
    return start + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def segment(marker: int, body: bytes) -> bytes:
    """Make a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_start(data: bytes, *segments: bytes) -> bytes:
    """Put segments at the begin of a JPEG."""
    return data[:2] + b"".join(segments) + data[2:]


def multi_picture(first: bytes, others: Sequence[bytes]) -> bytes:
    """Put JPEGs behind a JPEG, with an index of them all.  Source: CIPA DC-007, 5.2.3."""
    count = 1 + len(others)
    length = 8 + 2 + 12 * 2 + 4 + 16 * count
    # Places count from the index's own begin, which stands behind SOI, marker, length and name.
    place = len(first) + length + 8 - 10
    entries = struct.pack(">IIIHH", 0x20030000, len(first), 0, 0, 0)
    for other in others:
        entries += struct.pack(">IIIHH", 0, len(other), place, 0, 0)
        place += len(other)
    directory = struct.pack(">HHHII", 2, 0xB001, 4, 1, count)
    directory += struct.pack(">HHII", 0xB002, 7, 16 * count, 8 + 2 + 24 + 4) + bytes(4)
    index = b"MPF\0MM\0*" + struct.pack(">I", 8) + directory + entries
    return after_start(first, segment(0xE2, index)) + b"".join(others)


def without_adobe(data: bytes) -> bytes:
    """Take the Adobe segment out of a JPEG, so that nothing says how its colours are meant."""
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def ycck(image: Image.Image) -> bytes:
    """Make a JPEG of inverted YCCK, as Adobe's programs do."""
    luma = np.asarray(Image.eval(image.convert("RGB"), lambda level: 255 - level).convert("YCbCr"))
    # Pillow writes CMYK inverted, so what is to stand in the file is handed over inverted.
    planes = np.dstack([255 - luma, np.zeros(luma.shape[:2], np.uint8)])
    data = bytearray(drawing.photo(Image.fromarray(planes, "CMYK")))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One frame of an animation made by hand: pixels (RGBA), place, how it leaves and whether it
    blends, in the numbers of its format.
    """

    image: Image.Image
    left: int = 0
    top: int = 0
    leaves: int = 0
    blends: int = 0


def apng(
    size: tuple[int, int],
    frames: Sequence[Frame],
    *,
    still: Image.Image | None = None,
    announced: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """Make an animated PNG.  Source: PNG third edition, 11.3.6."""
    out = PNG_START + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0)) + extra
    told = len(frames) if announced is None else announced
    out += chunk(b"acTL", struct.pack(">II", told, 0))
    if still is not None:
        out += chunk(b"IDAT", _rows(still))
    number = 0
    for index, frame in enumerate(frames):
        place = (number, *frame.image.size, frame.left, frame.top, 1, 10)
        out += chunk(b"fcTL", struct.pack(">5I2H2B", *place, frame.leaves, frame.blends))
        number += 1
        if index == 0 and still is None:
            out += chunk(b"IDAT", _rows(frame.image))
        else:
            out += chunk(b"fdAT", struct.pack(">I", number) + _rows(frame.image))
            number += 1
    return out + chunk(b"IEND", b"")


def _rows(image: Image.Image) -> bytes:
    rows = np.asarray(image.convert("RGBA"))
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


def webp(size: tuple[int, int], frames: Sequence[Frame], background: bytes = bytes(4)) -> bytes:
    """Make an animated WebP.  Source: RFC 9649, 2.7.1."""
    corner = _three(size[0] - 1) + _three(size[1] - 1)
    body = _riff(b"VP8X", bytes((0x12, 0, 0, 0)) + corner)
    body += _riff(b"ANIM", background + bytes(2))
    for frame in frames:
        still = drawing.encoded(frame.image, "WEBP", lossless=True, exact=True)
        place = _three(frame.left // 2) + _three(frame.top // 2)
        extent = _three(frame.image.width - 1) + _three(frame.image.height - 1) + _three(100)
        flags = bytes([frame.leaves | (0 if frame.blends else 2)])
        body += _riff(b"ANMF", place + extent + flags + still[still.index(b"VP8L") :])
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def _three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def gif(size: tuple[int, int], frames: Sequence[Frame]) -> bytes:
    """Make a GIF; what is transparent in a frame is its colour 255.  Source: GIF89a, 20 to 23."""
    out = b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)
    for frame in frames:
        indexed = frame.image.convert("RGB").quantize(255)
        palette = bytes(indexed.getpalette() or []).ljust(768, b"\0")[:768]
        clear = "A" in frame.image.getbands()
        if clear:
            opacity = frame.image.getchannel("A")
            indexed.paste(255, mask=opacity.point([255] * 128 + [0] * 128))
        out += b"!\xf9\4" + bytes(((frame.leaves << 2) | clear, 10, 0, 255, 0))
        place = struct.pack("<HHHHB", frame.left, frame.top, *frame.image.size, 0x87)
        out += b"," + place + palette + b"\x08" + _codes(np.asarray(indexed))
    return out + b";"


def _codes(indices: NDArray[np.uint8]) -> bytes:
    """Write pixels as codes of nine bits, cleared so often that they never grow longer."""
    flat = indices.ravel().astype(np.uint16)
    groups = [flat[at : at + 250] for at in range(0, flat.size, 250)]
    parts = [part for group in groups for part in (np.array([256], np.uint16), group)]
    codes = np.concatenate([*parts, np.array([257], np.uint16)])
    bits = (codes[:, None] >> np.arange(9, dtype=np.uint16)) & 1
    packed = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def with_still(sequence: bytes, still: bytes) -> bytes:
    """Let an AVIF sequence hold the picture of another AVIF for viewers that play nothing."""
    pixels = still[still.index(b"mdat") + 4 :]
    # In the item location box that our encoder writes, begin and length come after 14 bytes.
    at = sequence.index(b"iloc") + 4 + 14
    place = struct.pack(">II", len(sequence) + 8, len(pixels))
    box = struct.pack(">I", len(pixels) + 8) + b"mdat" + pixels
    return sequence[:at] + place + sequence[at + 8 :] + box


def nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    """Let the boxes of an AVIF name other colours."""
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]
