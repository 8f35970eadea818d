"""Makes the files that the picture tests read, and reads pictures back as arrays."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

PHOTOS = Path(skimage.__file__).parent / "data"
Pixels = NDArray[np.int64]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode with Pillow; ``kind`` is its name of the format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(source: bytes | Image.Image) -> Pixels:
    """Decode into an array (height, width, 3) of 0 to 255."""
    image = source if isinstance(source, Image.Image) else Image.open(io.BytesIO(source))
    return np.asarray(image.convert("RGB")).astype(np.int64)


def difference(one: bytes | Image.Image, other: bytes | Image.Image) -> float:
    """Give the mean difference of two pictures of one size, in levels of 255."""
    first, second = pixels(one), pixels(other)
    assert first.shape == second.shape
    return float(np.abs(first - second).mean())


def gradient(mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Make a picture whose every corner differs, so a wrong turn shows."""
    width, height = size
    red = Image.linear_gradient("L").resize(size)
    green = Image.linear_gradient("L").rotate(90).resize(size)
    image = Image.merge("RGB", (red, green, Image.new("L", size, 60)))
    image.paste((255, 255, 255), (0, 0, width // 3, height // 4))
    return image.convert(mode)


def noise(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """Make a picture that no encoder makes small."""
    width, height = size
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def frames(count: int, size: tuple[int, int] = (48, 32)) -> list[Image.Image]:
    """Make pictures that differ from one to the next, the first one red."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    images = [Image.new("RGB", size, colours[index % 3]) for index in range(count)]
    for index, image in enumerate(images):
        image.paste((index, 10, 10), (index, 0, index + 4, 4))
    return images


def chunk(kind: bytes, body: bytes) -> bytes:
    """Make a PNG chunk with its right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *, depth: int, colour: int, rows: bytes, extra: bytes = b""
) -> bytes:
    """Make a PNG from raw rows with their filter bytes; ``extra`` chunks go before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data
