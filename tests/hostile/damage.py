"""Files that are broken, lie about themselves, are two things at once or carry words."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.hostile import containers, drawing
from tests.hostile.cases import MARKER, Case, Fate
from tests.hostile.containers import Frame, segment
from tests.pictures.samples import chunk, png

SCENE = drawing.scene()
FLIPS = 6  # of each format
MEGABYTE = 1_000_001


def good() -> dict[str, bytes]:
    """Make one good file of each kind, which is then damaged."""
    frames = [Frame(drawing.scene(turn=turn)) for turn in (0, 40)]
    return {
        "jpeg": drawing.photo(SCENE),
        "progressive jpeg": drawing.photo(SCENE, progressive=True),
        "png": drawing.encoded(SCENE, "PNG"),
        "gif": containers.gif(drawing.SIZE, frames[:1]),
        "webp": drawing.encoded(SCENE, "WEBP", quality=100),
        "lossless webp": drawing.encoded(SCENE, "WEBP", lossless=True),
        "avif": drawing.avif(SCENE),
        "moving png": containers.apng(drawing.SIZE, frames),
        "moving gif": containers.gif(drawing.SIZE, frames),
        "moving webp": containers.webp(drawing.SIZE, frames),
    }


def cases(seed: int) -> Iterator[Case]:
    """Make them all; the seed decides where bits are flipped."""
    yield from _cut()
    yield from _flipped(random.Random(seed))
    yield from _lying()
    yield from _polyglots()
    yield from _wordy()


def _cut() -> Iterator[Case]:
    for kind, data in good().items():
        # A GIF's whole header is that short.
        fate: Fate = "unreadable" if kind.endswith("gif") else "not_an_image"
        yield Case(f"{kind} cut after its first bytes", data[:11], fate)
        # The longest header here, an AVIF's, ends before three tenths of its file.
        for tenths in range(3, 10):
            part = data[: len(data) * tenths // 10]
            yield Case(f"{kind} cut at {tenths} tenths", part, "unreadable")


def _flipped(chance: random.Random) -> Iterator[Case]:
    for kind, data in good().items():
        for number in range(FLIPS):
            flipped = bytearray(data)
            # The first bytes say the format; behind them anything may be hit.
            at = chance.randrange(16, len(data))
            flipped[at] ^= 1 << chance.randrange(8)
            yield Case(f"{kind} flipped {number}", bytes(flipped), "settled")


def _lying() -> Iterator[Case]:
    files = good()
    size = struct.pack(">II", 8_000, 5_000)
    for kind in ("png", "moving png"):
        header = b"IHDR" + size + files[kind][24:29]
        lie = files[kind][:12] + header + struct.pack(">I", zlib.crc32(header)) + files[kind][33:]
        yield Case(f"{kind} larger than its pixels", lie, "unreadable")
    jpeg = files["jpeg"]
    at = jpeg.index(b"\xff\xc0") + 5
    tall = jpeg[:at] + struct.pack(">H", 4_000) + jpeg[at + 2 :]
    # Viewers show the pixels that are there above grey ones.
    yield Case("jpeg taller than its pixels", tall, "shown")
    yield Case(
        "jpeg wider than allowed",
        jpeg[:at] + b"\xff\xdc\xff\xdc" + jpeg[at + 4 :],
        "picture_too_large",
    )
    gif = bytearray(files["gif"])
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    yield Case("gif screen of 65,000 px", bytes(gif), "picture_too_large")
    webp = bytearray(files["moving webp"])
    webp[24:30] = b"\x10\0\0\x10\0\0"
    yield Case("webp frames beyond their canvas", bytes(webp), "unreadable")
    avif = files["avif"]
    at = avif.index(b"ispe") + 8
    small = avif[:at] + struct.pack(">II", 60, 40) + avif[at + 8 :]
    yield Case("avif larger than its box says", small, "settled")
    large = avif[:at] + struct.pack(">II", 16_000, 16_000) + avif[at + 8 :]
    yield Case("avif of 256 megapixels", large, "picture_too_large")
    empty = png(0, 80, depth=8, colour=2, rows=b"")
    yield Case("png without width", empty, "not_an_image")
    odd = png(120, 80, depth=3, colour=2, rows=bytes(80 * 361))
    yield Case("png of depth 3", odd, "unreadable")
    twice = containers.after_start(jpeg, jpeg[jpeg.index(b"\xff\xc0") :][:19])
    yield Case("jpeg of two sizes", twice, "not_an_image")
    index = segment(0xE2, b"MPF\0MM\0*" + bytes(8))
    indexes = containers.after_start(jpeg, index, index)
    yield Case("jpeg of two indexes", indexes, "not_an_image")
    for name, data in {"bmp": "BMP", "tiff": "TIFF", "ico": "ICO", "ppm": "PPM"}.items():
        yield Case(f"{name} is not allowed", drawing.encoded(SCENE, data), "not_an_image")
    script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    yield Case("svg is not allowed", script, "not_an_image")
    yield Case("jpeg behind a space", b" " + jpeg, "not_an_image")


def _polyglots() -> Iterator[Case]:
    """Pictures that another program takes for something else; what follows the end is not kept."""
    archive = b"PK\3\4" + bytes(26) + MARKER + b"PK\5\6" + bytes(18)
    page = b"<html><script>alert('" + MARKER + b"')</script></html>"
    files = good()
    for kind in ("jpeg", "png", "gif", "webp", "avif"):
        reference = _shown(files[kind])
        for name, rest in (("archive", archive), ("page", page), ("another png", files["png"])):
            yield Case(f"{kind} with {name} behind", files[kind] + rest, "shown", reference)
    comment = containers.after_start(files["jpeg"], segment(0xFE, b"%PDF-1.7 " + page))
    yield Case("jpeg that is a pdf", comment, "shown", SCENE)
    script = files["gif"][:13] + b"!\xfe" + bytes([len(page)]) + page + b"\0" + files["gif"][13:]
    yield Case("gif that is a page", script, "shown", _shown(files["gif"]))
    private = chunk(b"scRt", page)
    yield Case("png that is a page", containers.after_header(files["png"], private), "shown", SCENE)


def _wordy() -> Iterator[Case]:
    """Metadata: words in it, pictures in it, and more of it than anybody needs."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x9286] = MARKER.decode()
    words = {"exif": exif, "xmp": b"<x:xmpmeta>" + MARKER + b"</x:xmpmeta>"}
    thumbnail = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + drawing.photo(drawing.decoy((40, 30)))
    files = {
        "jpeg": drawing.photo(SCENE, comment=MARKER, **words),
        "png": containers.after_header(
            drawing.encoded(SCENE, "PNG", exif=exif), chunk(b"tEXt", b"Comment\0" + MARKER)
        ),
        "webp": drawing.encoded(SCENE, "WEBP", lossless=True, **words),
        "avif": drawing.avif(SCENE, **words),
        "jpeg thumbnail": drawing.photo(SCENE, exif=thumbnail + MARKER),
    }
    for kind, data in files.items():
        yield Case(f"{kind} with words", data, "shown", SCENE)
    yield from _bulky()
    packed = zlib.compress(bytes(30 * MEGABYTE), 9)
    plain = drawing.encoded(SCENE, "PNG")
    for kind, body in {
        "zTXt": b"Comment\0\0" + packed,
        "iTXt": b"Comment\0\1\0\0\0" + packed,
        "iCCP": b"p\0\0" + packed,
    }.items():
        bomb = containers.after_header(plain, chunk(kind.encode(), body))
        yield Case(f"png bomb in {kind}", bomb, "unreadable")


def _bulky() -> Iterator[Case]:
    """A megabyte of metadata, and one byte more than is allowed."""
    many = [segment(0xEF, bytes(65_000))] * 16
    jpeg = containers.after_start(drawing.photo(SCENE), *many)
    yield Case("jpeg of a megabyte of metadata", jpeg, "metadata_too_large")
    png = containers.after_header(drawing.encoded(SCENE, "PNG"), chunk(b"tEXt", bytes(MEGABYTE)))
    yield Case("png of a megabyte of metadata", png, "metadata_too_large")
    xmp = {"xmp": bytes(MEGABYTE)}
    webp = drawing.encoded(SCENE, "WEBP", **xmp)
    yield Case("webp of a megabyte of metadata", webp, "metadata_too_large")
    yield Case("avif of a megabyte of metadata", drawing.avif(SCENE, **xmp), "metadata_too_large")
    gif = good()["gif"]
    blocks = (b"\xff" + bytes(255)) * 4_000 + b"\0"
    large = gif[:13] + b"!\xfe" + blocks + gif[13:]
    yield Case("gif of a megabyte of metadata", large, "metadata_too_large")


def _shown(data: bytes) -> Image.Image:
    """Show a good file as it was before something was put into it."""
    return drawing.on_white(Image.open(io.BytesIO(data)))
