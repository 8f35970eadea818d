"""Pictures to edit: photographs and textures of scikit-image, drawn cards, and crowds of faces."""

import functools
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFont

from tests.proof.corpus import Box, Scene

_DATA = Path(skimage.__file__).parent / "data"
_PHOTOS = (
    "astronaut.png",
    "coffee.png",
    "chelsea.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "camera.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "page.png",
    "moon.png",
)
_TEXTURES = ("brick.png", "grass.png", "gravel.png")
_WORDS = ("Anna", "Okafor", "Lindqvist", "Tanaka", "Street", "Avenue", "call", "mail", "card", "of")
_LEAST_PLACE = 12


def scene(rng: np.random.Generator) -> Scene:
    """Make one picture of a random sort."""
    made = rng.choice(4, p=[0.5, 0.1, 0.25, 0.15])
    return (_photo, _texture, _card, _crowd)[made](rng)


def _photo(rng: np.random.Generator) -> Scene:
    return _cropped(rng, str(rng.choice(_PHOTOS)))


def _texture(rng: np.random.Generator) -> Scene:
    return _cropped(rng, str(rng.choice(_TEXTURES)))


@functools.cache
def opened(name: str) -> Image.Image:
    """Return one file of the scikit-image wheel."""
    return Image.open(_DATA / name).convert("RGB")


def _cropped(rng: np.random.Generator, name: str) -> Scene:
    """Take a part of a file at some size, and places in it that show something."""
    image = opened(name)
    share = rng.uniform(0.6, 1.0)
    width, height = round(image.width * share), round(image.height * share)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    longest = int(rng.integers(260, 900))
    scale = longest / max(width, height)
    image = image.resize(
        (round(width * scale), round(height * scale)),
        Image.Resampling.LANCZOS,
        box=(left, top, left + width, top + height),
    )
    return Scene(image, _detailed(rng, image))


def _detailed(rng: np.random.Generator, image: Image.Image) -> tuple[Box, ...]:
    """Find boxes from 12 px to half of the picture that show something at their own scale."""
    grey = image.convert("L")
    found: list[Box] = []
    for _ in range(60):
        aspect = float(np.exp(rng.uniform(-1.2, 1.2)))
        area = float(np.exp(rng.uniform(np.log(200), np.log(0.5 * image.width * image.height))))
        width = int(np.clip(np.sqrt(area * aspect), _LEAST_PLACE, image.width * 0.8))
        height = int(np.clip(np.sqrt(area / aspect), _LEAST_PLACE, image.height * 0.8))
        left = int(rng.integers(image.width - width + 1))
        top = int(rng.integers(image.height - height + 1))
        box = left, top, left + width, top + height
        if _shows(grey.crop(box)) and not any(_meet(box, other) for other in found):
            found.append(box)
    return tuple(found)


def _shows(part: Image.Image) -> bool:
    """Tell whether a 16 px copy of the place has edges, which a person would call a content."""
    scale = max(1.0, min(part.size) / 16)
    small = part.resize(
        (round(part.width / scale), round(part.height / scale)), Image.Resampling.BOX
    )
    values = np.asarray(small, np.float32)
    steps = np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean()
    return bool(steps > 12)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _card(rng: np.random.Generator) -> Scene:
    """Draw a card, letter or screenshot; its places are the lines of text."""
    size = int(rng.integers(300, 1000)), int(rng.integers(240, 800))
    dark = rng.random() < 0.25
    paper, ink = _colour(rng, 20, 70), _colour(rng, 180, 255)
    if not dark:
        paper, ink = _colour(rng, 215, 256), _colour(rng, 0, 90)
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], size[1] // 12), fill=_colour(rng, 60, 200))
    places: list[Box] = []
    top = size[1] // 8
    while top < size[1] - 60:
        points = int(rng.integers(14, 44))
        left = int(rng.integers(10, size[0] // 4))
        places.append(write(draw, (left, top), line(rng), points, ink))
        top += round(points * float(rng.uniform(1.6, 2.4)))
    return Scene(image, tuple(places))


def _colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = (int(one) for one in rng.integers(low, high, 3))
    return red, green, blue


def line(rng: np.random.Generator) -> str:
    """Invent a phone number, an address or a few words."""
    digits = "".join(str(one) for one in rng.integers(0, 10, 12))
    words = [str(one) for one in rng.choice(_WORDS, 3)]
    return (
        f"+{digits[:2]} {digits[2:5]} {digits[5:8]} {digits[8:]}",
        f"{words[0].lower()}.{words[1].lower()}{digits[:2]}@example.org",
        f"{words[0]} {words[1]} {digits[:3]}",
        f"{digits[:4]} {digits[4:8]} {digits[8:]}",
    )[rng.integers(4)]


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    points: int,
    ink: tuple[int, int, int],
) -> Box:
    """Write one line and return its box with a little space around it, cut to the picture."""
    font = ImageFont.load_default(size=points)
    draw.text(at, text, fill=ink, font=font)
    x0, y0, x1, y1 = draw.textbbox(at, text, font=font)
    pad = max(2, points // 6)
    width, height = draw.im.size
    return (
        max(0, int(x0) - pad),
        max(0, int(y0) - pad),
        min(width, int(x1) + pad),
        min(height, int(y1) + pad),
    )


def _crowd(rng: np.random.Generator) -> Scene:
    """Paste faces (Labeled Faces in the Wild, 25 x 25 px) on a texture or photograph."""
    image = _cropped(rng, str(rng.choice([*_TEXTURES, "coffee.png", "rocket.jpg"]))).image.copy()
    places: list[Box] = []
    for _ in range(int(rng.integers(2, 7))):
        side = int(rng.integers(26, 90))
        left = int(rng.integers(0, max(1, image.width - side)))
        top = int(rng.integers(0, max(1, image.height - side)))
        box = left, top, left + side, top + side
        if (
            box[2] <= image.width
            and box[3] <= image.height
            and not any(_meet(box, other) for other in places)
        ):
            image.paste(face(rng, side), box)
            places.append(box)
    return Scene(image, tuple(places))


def face(rng: np.random.Generator, side: int) -> Image.Image:
    """Return one of a hundred faces, tinted like skin."""
    grey = _faces()[rng.integers(100)] * 255
    tint = np.array([1.0, rng.uniform(0.7, 0.9), rng.uniform(0.55, 0.8)])
    pixels = np.clip(grey[..., None] * tint * 1.2, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


@functools.cache
def _faces() -> np.ndarray:
    faces: np.ndarray = np.load(_DATA / "lfw_subset.npy")[:100]
    return faces
