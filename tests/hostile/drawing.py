"""Draws what viewers are to see and what they are not to see, without any code of the service."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Levels = NDArray[np.float64]

SIZE = (120, 80)
GREY = (128, 128, 128)


def scene(size: tuple[int, int] = SIZE, turn: int = 0) -> Image.Image:
    """Draw a picture that no turn, mirror, exchange of colours or change of gamma leaves alike."""
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    ramps = (across / width * 255, down / height * 255, np.full(down.shape, 120.0))
    image = Image.fromarray(np.stack(ramps, 2).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    unit = width / 120
    draw.rectangle([10 * unit, 10 * unit, 40 * unit, 40 * unit], fill=(250, 40, 30))
    draw.ellipse([60 * unit, 20 * unit, 100 * unit, 60 * unit], fill=(30, 60, 220))
    draw.rectangle([5 * unit, 60 * unit, 50 * unit, 75 * unit], fill=(20, 20, 20))
    draw.rectangle([70 * unit, 65 * unit, 110 * unit, 78 * unit], fill=(240, 240, 240))
    return image.rotate(turn) if turn else image


def decoy(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw the picture that an attacker hides; it resembles the scene nowhere."""
    image = Image.new("RGB", size, (10, 200, 60))
    font = ImageFont.load_default(size=size[1] / 3)
    ImageDraw.Draw(image).text((2, size[1] / 4), "HIDDEN", fill="white", font=font)
    return image


def levels(image: Image.Image) -> Levels:
    """Give samples from 0 to 1."""
    return np.asarray(image).astype(np.float64) / 255


def light(samples: Levels) -> Levels:
    """Give linear light of samples in sRGB (IEC 61966-2-1)."""
    return np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)


def samples_of(light: Levels) -> Levels:
    """Give samples in sRGB of linear light; the inverse of ``light``."""
    bright = 1.055 * np.clip(light, 0, None) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, bright)


def picture(samples: Levels) -> Image.Image:
    """Give an 8-bit picture of samples from 0 to 1."""
    return Image.fromarray(np.round(np.clip(samples, 0, 1) * 255).astype(np.uint8))


def on_white(image: Image.Image) -> Image.Image:
    """Show a transparent picture as on a white page."""
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image.convert("RGBA"))
    return page.convert("RGB")


def veiled(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw the scene below an opacity that grows from the left to the right."""
    image = scene(size).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").rotate(90).resize(size))
    return image


def hiding(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw the scene on its right half, and the decoy below full transparency on the left."""
    image = scene(size).convert("RGBA")
    left = decoy(size).crop((0, 0, size[0] // 2, size[1])).convert("RGBA")
    left.putalpha(0)
    image.paste(left, (0, 0))
    return image


def contact_sheet(frames: list[Image.Image]) -> Image.Image:
    """Draw what the stated policy says of these (sampled) frames, none of which needs scaling."""
    columns = math.ceil(len(frames) ** 0.5)
    width, height = frames[0].size
    rows = math.ceil(len(frames) / columns)
    sheet = Image.new("RGB", ((width + 4) * columns - 4, (height + 4) * rows - 4), GREY)
    blank = Image.new("RGB", (width, height), "white")
    cells = frames + [blank] * (columns * rows - len(frames))
    for number, frame in enumerate(cells):
        sheet.paste(frame, (number % columns * (width + 4), number // columns * (height + 4)))
    return sheet


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode; ``kind`` is Pillow's name of a format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(image: Image.Image, **options: Any) -> bytes:
    """Encode as a JPEG that keeps fine colours."""
    return encoded(image, "JPEG", **{"quality": 95, "subsampling": 0, **options})


def avif(image: Image.Image, **options: Any) -> bytes:
    """Encode as an AVIF that keeps fine colours, without the time at which that was done."""
    data = encoded(image, "AVIF", **{"quality": 95, "subsampling": "4:4:4", **options})
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        before, found, rest = data.partition(box)
        times = 16 if rest[:1] == b"\1" else 8
        if found:
            data = before + found + rest[:4] + bytes(times) + rest[4 + times :]
    return data
