"""What happens to a whole picture on its way: framing, size, coding, repainting."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

Travel = Callable[[np.random.Generator, Image.Image], Image.Image]
_LANCZOS = Image.Resampling.LANCZOS


def as_it_is(_rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Change nothing."""
    return image


def resized(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Scale by 0.55 to 1.9."""
    scale = float(np.exp(rng.uniform(np.log(0.55), np.log(1.9))))
    return image.resize((round(image.width * scale), round(image.height * scale)), _LANCZOS)


def reframed(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Fill a frame of another aspect (1024 x 858 into 1152 x 896 and alike), cutting the rest."""
    ratio = rng.uniform(1.03, 1.12) ** rng.choice([-1, 1])
    size = round(image.width * 1.1), round(image.height * 1.1 / ratio)
    return ImageOps.fit(image, size, _LANCZOS, centering=(rng.uniform(), rng.uniform()))


def letterboxed(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Fit into a frame of another aspect with bars."""
    ratio = rng.uniform(1.03, 1.12) ** rng.choice([-1, 1])
    size = round(image.width), round(image.height * ratio)
    colour = tuple(int(one) for one in rng.integers(0, 256, 3))
    return ImageOps.pad(image, size, _LANCZOS, color=colour)


def stretched(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Change the aspect by 3 to 12 %."""
    ratio = rng.uniform(1.03, 1.12) ** rng.choice([-1, 1])
    return image.resize((round(image.width * ratio), image.height), _LANCZOS)


def shifted(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Shift by up to 6 % of a side; what was outside repeats the edge."""
    return _moved(image, rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06))


def shifted_far(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Shift by 18 to 40 % of a side."""
    share = rng.uniform(0.18, 0.4) * rng.choice([-1, 1])
    return _moved(image, *((share, 0.0) if rng.random() < 0.5 else (0.0, share)))


def _moved(image: Image.Image, right: float, down: float) -> Image.Image:
    dx, dy = round(right * image.width), round(down * image.height)
    pixels = np.asarray(image)
    rows = np.clip(np.arange(image.height) - dy, 0, image.height - 1)
    columns = np.clip(np.arange(image.width) - dx, 0, image.width - 1)
    return Image.fromarray(np.ascontiguousarray(pixels[rows][:, columns]))


def jpeg(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Code as JPEG of quality 60 to 95."""
    return _coded(image, "JPEG", quality=int(rng.choice([60, 60, 75, 85, 95])))


def webp(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Code as WebP of quality 60 to 95."""
    return _coded(image, "WEBP", quality=int(rng.choice([60, 75, 90, 95])))


def _coded(image: Image.Image, kind: str, **options: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Image.open(file).convert("RGB")


def repainted(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Paint all anew: flat patches, other colours and strokes of noise, as a strong style does."""
    width, height = image.size
    flat = image.filter(ImageFilter.MedianFilter(9)).filter(ImageFilter.GaussianBlur(2))
    flat = ImageOps.posterize(ImageOps.autocontrast(flat), 3)
    noise = rng.normal(0, 90, (max(2, height // 4), max(2, width // 4)))
    strokes = Image.fromarray(np.clip(noise + 128, 0, 255).astype(np.uint8))
    pixels = np.asarray(flat) * rng.uniform(0.6, 1.2, 3) + rng.uniform(-30, 30, 3)
    pixels += (np.asarray(strokes.resize(image.size, _LANCZOS))[..., None] - 128.0) * 0.6
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


FRAMINGS: dict[str, Travel] = {
    "same frame": as_it_is,
    "resized": resized,
    "reframed": reframed,
    "letterboxed": letterboxed,
    "stretched": stretched,
    "shifted": shifted,
}
CODINGS: dict[str, Travel] = {"lossless": as_it_is, "jpeg": jpeg, "webp": webp}
