"""Decodes the picture that was sent and encodes the one that is answered."""

import io
import struct
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from service.local import RequestRefused

MAX_PIXELS = 40_000_000

_READ = ("PNG", "JPEG", "WEBP")
_WHITE = (255, 255, 255, 255)
# Pillow answers broken files with any of these.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error)


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture in RGB; ``lossless`` says that it came as a PNG."""

    image: Image.Image
    lossless: bool


def decode(data: bytes) -> Picture:
    """
    Decode one PNG, JPEG or WebP: upright, without alpha (on white), 8 bits a channel.

    Raises:
        RequestRefused: Not such a picture, damaged, or more than ``MAX_PIXELS`` by its header.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_READ)
        if image.width * image.height > MAX_PIXELS:
            raise _too_large(f"{image.width} x {image.height} pixels")
        lossless = image.format == "PNG"
        return Picture(_flat(ImageOps.exif_transpose(image)), lossless)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("too many pixels") from error
    except _BROKEN as error:
        raise RequestRefused(
            "The image is not a readable PNG, JPEG or WebP picture",
            code="invalid_image",
            param="image",
        ) from error


def encode(picture: Picture, output_format: str | None) -> tuple[bytes, str]:
    """Encode as asked, else PNG for a PNG and JPEG for all others; return bytes and format."""
    chosen = output_format or ("png" if picture.lossless else "jpeg")
    target = io.BytesIO()
    if chosen == "png":
        picture.image.save(target, "PNG", compress_level=3)
    elif chosen == "webp":
        picture.image.save(target, "WEBP", quality=95)
    else:
        picture.image.save(target, "JPEG", quality=95, subsampling="4:4:4")
    return target.getvalue(), chosen


def _too_large(said: str) -> RequestRefused:
    return RequestRefused(
        f"The image has {said}; at most {MAX_PIXELS} pixels are allowed",
        code="image_too_large",
        param="image",
    )


def _flat(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; 16 bit gray is scaled, because a conversion would cut it off."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, _WHITE), over).convert("RGB")
    return image.convert("RGB")
