"""Small files that are large when they are opened: at, below and beyond what is allowed."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.hostile import drawing
from tests.hostile.cases import Case
from tests.pictures.samples import chunk, png

TEAL = (0, 128, 128)


def cases() -> Iterator[Case]:
    """Make them all."""
    yield from _beyond()
    yield from _allowed()
    yield from _moving()


def _beyond() -> Iterator[Case]:
    size = (16_000, 2_600)
    plain = Image.new("RGB", size, TEAL)
    gif = b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)
    for kind, data in {
        "png": png(*size, depth=8, colour=2, rows=(b"\0" + bytes(48_000)) * 2_600),
        "jpeg": drawing.encoded(plain, "JPEG"),
        "gif": gif + b"," + bytes(4) + struct.pack("<HHB", *size, 0) + b"\2\0;",
        "webp": drawing.encoded(plain, "WEBP", lossless=True, method=0, quality=0),
    }.items():
        yield Case(f"{kind} of 41.6 megapixels", data, "picture_too_large")
    screen = b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0)
    frame = b"," + struct.pack("<4HB", 0, 0, 10, 10, 0x80) + bytes(6) + b"\2\2\x44\1\0"
    yield Case("gif of 101 frames", screen + frame * 101 + b";", "too_many_frames")
    large = b"GIF89a" + struct.pack("<HHBBB", 5_000, 5_000, 0, 0, 0)
    yield Case("gif of 9 large frames", large + frame * 9 + b";", "picture_too_large")
    still = drawing.encoded(Image.new("RGB", (10, 10)), "PNG")
    many = still[:33] + chunk(b"acTL", struct.pack(">II", 4_000_000, 0)) + still[33:]
    yield Case("png of 4,000,000 frames", many, "too_many_frames")


def _allowed() -> Iterator[Case]:
    """As large as is allowed, in little memory and time; a solid colour is a solid colour."""
    size, small = (16_000, 2_400), Image.new("RGB", (4_096, 614), TEAL)
    plain = Image.new("RGB", size, TEAL)
    rows = (b"\0" + bytes((*TEAL, 255)) * 16_000) * 2_400
    clear = (b"\0" + bytes(64_000)) * 2_400
    yield Case(
        "jpeg of 38.4 megapixels", drawing.encoded(plain, "JPEG", quality=50), "shown", small
    )
    opaque = png(*size, depth=8, colour=6, rows=rows)
    yield Case("png of 38.4 megapixels", opaque, "shown", small)
    hidden = png(*size, depth=8, colour=6, rows=clear, extra=chunk(b"gAMA", b"\0\1\x86\xa0"))
    white = Image.new("RGB", small.size, "white")
    yield Case("png of 38.4 megapixels of nothing", hidden, "shown", white)
    webp = drawing.encoded(plain, "WEBP", lossless=True, method=0, quality=0)
    yield Case("webp of 38.4 megapixels", webp, "shown", small)
    avif = drawing.encoded(plain.resize((4_500, 4_500)), "AVIF", speed=10)
    square = Image.new("RGB", (4_096, 4_096), TEAL)
    yield Case("avif of 20 megapixels", avif, "shown", square)


def _moving() -> Iterator[Case]:
    """Two hundred megapixels in all their frames."""
    size = (2_000, 1_000)
    still = zlib.compress((b"\0" + bytes(TEAL) * size[0]) * size[1], 9)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    out += chunk(b"acTL", struct.pack(">II", 100, 0))
    for number in range(100):
        place = (max(0, 2 * number - 1), *size, 0, 0, 1, 10)
        out += chunk(b"fcTL", struct.pack(">5I2H2B", *place, 0, 0))
        if number == 0:
            out += chunk(b"IDAT", still)
        else:
            out += chunk(b"fdAT", struct.pack(">I", 2 * number) + still)
    data = out + chunk(b"IEND", b"")
    cell = Image.new("RGB", (1_021, 510), TEAL)
    sheet = drawing.contact_sheet([cell] * 16)
    yield Case("png of 100 frames of 2 megapixels", data, "shown", sheet, "not_assessed")
    gif = drawing.encoded(Image.new("P", (8_000, 5_000), 1), "GIF")
    start = gif.index(b",", 13 + (6 << (gif[10] & 7)))
    moving = gif[:start] + gif[start:-1] * 5 + b";"
    cell = Image.new("P", (1_362, 851), 1).convert("RGB")
    yield Case(
        "gif of 5 frames of 40 megapixels", moving, "shown", drawing.contact_sheet([cell] * 5)
    )
