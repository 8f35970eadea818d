"""Draws sayings as ink (a mask) and lays it on flat grounds and on photos."""

from pathlib import Path
from random import Random

import numpy as np
import skimage
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from tests.adversarial.sayings import Saying

PHOTOS = Path(skimage.__file__).parent / "data"
SIZES = ((1024, 768), (768, 1024), (1152, 864), (900, 900))
_NAMES = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "hubble_deep_field.jpg")
_STRIPS = Path(__file__).parent / "written"
_STRIP_POINTS = 48
_MARGIN = 24

Colour = tuple[int, int, int]


def ink(saying: Saying, points: int) -> Image.Image:
    """Return the text as a mask, ``points`` px high by the font's measure."""
    if saying.strip:
        with Image.open(_STRIPS / f"{saying.strip}.png") as opened:
            strip = opened.convert("L")
        scale = points / _STRIP_POINTS
        return strip.resize((round(strip.width * scale), round(strip.height * scale)))
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    font = ImageFont.load_default(size=points)
    left, top, right, bottom = (int(at) for at in pen.multiline_textbbox((0, 0), saying.text, font))
    mask = Image.new("L", (right - left + 4, bottom - top + 4))
    ImageDraw.Draw(mask).multiline_text((2 - left, 2 - top), saying.text, 255, font)
    return mask


def code(text: str, kind: str, scale: int) -> Image.Image:
    """Return a code in a quiet zone, black on white, ``scale`` px a module."""
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    drawn = Image.fromarray(np.array(made.to_image(scale=scale))).convert("RGB")
    return ImageOps.expand(drawn, 2 * scale, "white")


def flat(dice: Random) -> tuple[Image.Image, Colour]:
    """Return a sheet of one colour, and a colour that reads well on it."""
    level = dice.choice((dice.randint(0, 70), dice.randint(185, 255)))
    ground = tuple(min(255, max(0, level + dice.randint(-20, 20))) for _ in range(3))
    sheet = Image.new("RGB", dice.choice(SIZES), ground)
    return sheet, (20, 20, 30) if level > 128 else (240, 240, 230)


def photo(dice: Random) -> Image.Image:
    """Return a photo without any writing, about 1 megapixel."""
    with Image.open(PHOTOS / dice.choice(_NAMES)) as opened:
        return opened.convert("RGB").resize(dice.choice(SIZES), Image.Resampling.BICUBIC)


def fitted(mask: Image.Image, room: tuple[int, int]) -> Image.Image:
    """Shrink the ink where it would not go onto a picture of that size."""
    width, height = room
    scale = min(1.0, (width - _MARGIN) / mask.width, (height - _MARGIN) / mask.height)
    return mask.resize((round(mask.width * scale), round(mask.height * scale)))


def lay(
    image: Image.Image, mask: Image.Image, colour: Colour, dice: Random, opacity: float = 1.0
) -> Image.Image:
    """Put the ink anywhere on the picture, all of it inside."""
    mask = fitted(mask, image.size)
    at = (dice.randint(0, image.width - mask.width), dice.randint(0, image.height - mask.height))
    image.paste(colour, at, mask.point(lambda value: round(value * opacity)))
    return image


def outlined(image: Image.Image, mask: Image.Image, dice: Random) -> Image.Image:
    """Put white ink with a black rim anywhere on the picture, as captions are."""
    mask = fitted(mask, image.size)
    at = (dice.randint(0, image.width - mask.width), dice.randint(0, image.height - mask.height))
    image.paste((0, 0, 0), at, mask.filter(ImageFilter.MaxFilter(5)))
    image.paste((255, 255, 255), at, mask)
    return image


def turned(mask: Image.Image, degrees: float) -> Image.Image:
    """Return the ink turned against the clock; its mask grows to hold the corners."""
    return mask.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
