"""How pictures come in, change and go out, without any detector."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.local import Box, RequestRefused, Sighting, pictures, redaction


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def test_pictures_are_decoded_upright_and_flat() -> None:
    """A turned JPEG stands up, transparency becomes white, 16 bit gray keeps its shades."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = pictures.decode(encoded(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif))
    clear = pictures.decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0))))
    deep = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))

    assert (turned.image.size, turned.lossless) == ((20, 40), False)
    assert clear.image.getpixel((0, 0)) == (255, 255, 255)
    assert pictures.decode(encoded(deep)).image.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no picture", "invalid_image"),
        (encoded(Image.effect_noise((64, 64), 80).convert("RGB"))[:300], "invalid_image"),
        (encoded(Image.new("RGB", (8, 8)), "BMP"), "invalid_image"),
        (encoded(Image.new("1", (8000, 5001))), "image_too_large"),
        (encoded(Image.new("1", (10000, 10000))), "image_too_large"),
        (encoded(Image.new("1", (20000, 10000))), "image_too_large"),
    ],
    ids=["text", "cut", "bmp", "40 MP", "100 MP", "200 MP"],
)
def test_bad_pictures_are_refused(data: bytes, code: str) -> None:
    """What is not a whole PNG, JPEG or WebP, or claims too many pixels, is the caller's error."""
    with pytest.raises(RequestRefused) as refused:
        pictures.decode(data)

    assert (refused.value.code, refused.value.param) == (code, "image")


def test_pixelation_leaves_about_eight_cells() -> None:
    """Noise becomes at most 8 x 8 flat cells, and blur has no more detail than that."""
    noise = Image.effect_noise((160, 160), 120).convert("RGB")
    area = Box(0, 0, 160, 160)
    cells, soft = noise.copy(), noise.copy()

    redaction.apply(cells, area, "pixelate")
    redaction.apply(soft, area, "blur")

    assert len(np.unique(np.asarray(cells))) <= 64
    assert np.abs(np.diff(np.asarray(soft, dtype=float), axis=0)).max() < 8


def test_padding_never_leaves_the_picture() -> None:
    """A face at the edge is padded by 23 % and cut to the picture."""
    seen = Sighting("face", Box(0, 10, 100, 110), 0.9, "face")

    assert redaction.padded(seen, (110, 200)) == Box(0, 0, 110, 133)
