"""What ``pictures.canonical`` makes of good files."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from service.pictures.canonical import canonical
from tests.pictures import samples

LOSSLESS = [
    "astronaut.png",
    "coffee.png",
    "chelsea.png",
    "coins.png",
    "moon.png",
    "horse.png",
    "logo.png",
]


def opened(data: bytes) -> Image.Image:
    """Decode a canonical file and hold it to what every canonical file is."""
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.mode == "RGB"
    assert image.format in {"PNG", "JPEG"}
    assert not set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not image.getexif()
    return image


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_png_keeps_its_pixels(name: str) -> None:
    """A PNG comes back as a PNG with identical pixels, transparency on white."""
    data = (samples.PHOTOS / name).read_bytes()
    picture = canonical(data)
    source = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", source.size, "white")
    assert picture.mime == "image/png"
    assert (picture.width, picture.height) == source.size
    expected = samples.pixels(Image.alpha_composite(white, source))
    # Two ways to round a mixture may differ by one level; opaque pixels may not.
    tolerance = 1 if "A" in Image.open(io.BytesIO(data)).getbands() else 0
    assert np.abs(samples.pixels(opened(picture.data)) - expected).max() <= tolerance


@pytest.mark.parametrize("name", ["hubble_deep_field.jpg", "retina.jpg"])
def test_a_jpeg_keeps_its_look(name: str) -> None:
    """A JPEG comes back as a 4:4:4 JPEG that differs by less than two levels in the mean."""
    data = (samples.PHOTOS / name).read_bytes()
    picture = canonical(data)
    image = opened(picture.data)
    assert picture.mime == "image/jpeg"
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]  # Only JPEGs have it.
    assert samples.difference(data, picture.data) < 2


KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("JPEG", "RGB", {"quality": 95}),
    ("JPEG", "RGB", {"quality": 95, "progressive": True}),
    ("JPEG", "L", {"quality": 95}),
    ("JPEG", "CMYK", {"quality": 95}),
    ("PNG", "1", {}),
    ("PNG", "L", {}),
    ("PNG", "LA", {}),
    ("PNG", "P", {}),
    ("PNG", "RGBA", {}),
    ("GIF", "P", {}),
    ("WEBP", "RGB", {"quality": 95}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("AVIF", "RGB", {"quality": 95}),
    ("AVIF", "RGBA", {"quality": 95}),
]


@pytest.mark.parametrize(("kind", "mode", "options"), KINDS)
def test_every_format_and_mode_keeps_its_look(
    kind: str, mode: str, options: dict[str, Any]
) -> None:
    """The canonical picture shows what the file shows, whatever way it stores colours."""
    image = samples.gradient(mode, (120, 80))
    picture = canonical(samples.encoded(image, kind, **options))
    assert samples.difference(image, opened(picture.data)) < 4
    assert canonical(samples.encoded(image, kind, **options)) == picture


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    """One picture stored in eight ways, each with its EXIF orientation, comes back as itself."""
    upright = samples.gradient("RGB", (64, 48))
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = upright if stored is None else upright.transpose(stored)
    picture = canonical(samples.encoded(image, kind, exif=exif, quality=95))
    assert (picture.width, picture.height) == (64, 48)
    assert samples.difference(upright, opened(picture.data)) < 4


def test_damaged_exif_is_ignored() -> None:
    """A viewer shows a picture with broken EXIF as it is stored, and so do we."""
    image = samples.gradient()
    plain = canonical(samples.encoded(image, "PNG"))
    assert canonical(samples.encoded(image, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")) == plain


def swapped_profile() -> bytes:
    """Make an sRGB profile whose red and green primaries have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_an_embedded_profile_decides_the_colours(kind: str) -> None:
    """Where a profile says that red is green, the picture that viewers see is green."""
    image = Image.new("RGB", (32, 32), (250, 10, 10))
    data = samples.encoded(image, kind, icc_profile=swapped_profile(), quality=95)
    red, green, _ = samples.pixels(opened(canonical(data).data))[16, 16]
    assert green > 200
    assert red < 60


def test_a_profile_applies_below_transparency() -> None:
    """Colours are converted first and put on white afterwards."""
    image = Image.new("RGBA", (32, 32), (250, 10, 10, 255))
    image.paste((250, 10, 10, 0), (0, 0, 16, 32))
    shown = samples.pixels(
        canonical(samples.encoded(image, "PNG", icc_profile=swapped_profile())).data
    )
    assert shown[5, 5].tolist() == [255, 255, 255]
    assert shown[5, 25][1] > 200


@pytest.mark.parametrize("profile", [b"no profile at all", bytes(3_000)])
def test_an_unusable_profile_is_ignored(profile: bytes) -> None:
    """A viewer shows the stored colours, and so do we."""
    image = samples.gradient()
    assert (
        samples.difference(
            image, canonical(samples.encoded(image, "PNG", icc_profile=profile)).data
        )
        == 0
    )


def test_a_profile_for_other_colours_is_ignored() -> None:
    """A grey picture with an RGB profile and a CMYK one with an RGB profile keep their look."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode in ("L", "CMYK"):
        image = samples.gradient(mode, (120, 80))
        data = samples.encoded(image, "JPEG", icc_profile=srgb, quality=95)
        assert samples.difference(image, canonical(data).data) < 4


def test_16_bit_grey_is_scaled() -> None:
    """Each of 65,536 levels lands on the nearest of 256; Pillow alone would clip them to white."""
    levels = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    shown = samples.pixels(canonical(samples.encoded(Image.fromarray(levels), "PNG")).data)[..., 0]
    assert np.array_equal(shown, np.round(levels / 257).astype(np.int64))


TRANSPARENT = [
    # depth, colour type, tRNS chunk, one row, what is to be seen
    (8, 0, b"\0\x40", b"\x40\x41", [255, 0x41]),
    (2, 0, b"\0\x01", b"\x40", [255, 0]),
    (4, 0, b"\0\x07", b"\x78", [255, 0x88]),
    (1, 0, b"\0\x00", b"\x40", [255, 255]),
    (16, 0, b"\x40\x00", b"\x40\x00\x80\x80", [255, 0x80]),
    (16, 2, b"\x40\x00" * 3, b"\x40\x00" * 3 + b"\x80\x80" * 3, [255, 0x80]),
    (8, 4, b"", b"\x40\x00\x41\xff", [255, 0x41]),
    (16, 4, b"", b"\x40\x00\x00\x00\x41\x00\xff\xff", [255, 0x41]),
]


@pytest.mark.parametrize(("depth", "colour", "clear", "row", "shown"), TRANSPARENT)
def test_transparency_of_every_png_type(
    depth: int, colour: int, clear: bytes, row: bytes, shown: list[int]
) -> None:
    """Of two pixels the transparent one is white and the other keeps its grey."""
    extra = samples.chunk(b"tRNS", clear) if clear else b""
    data = samples.png(2, 1, depth=depth, colour=colour, rows=b"\0" + row, extra=extra)
    assert samples.pixels(canonical(data).data)[0, :, 0].tolist() == shown


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_hidden_colours_below_transparency_are_gone(kind: str) -> None:
    """What a viewer cannot see is white, and half transparency mixes with white."""
    image = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    image.paste((200, 0, 0, 255), (20, 0, 40, 20))
    options = {"lossless": True} if kind == "WEBP" else {}
    shown = samples.pixels(canonical(samples.encoded(image, kind, **options)).data)
    assert shown[10, 5].tolist() == [255, 255, 255]
    assert np.abs(shown[10, 30] - [200, 0, 0]).max() <= 4
    half = samples.encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")
    assert samples.pixels(canonical(half).data)[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF", "MPO"])
def test_all_frames_stand_on_a_contact_sheet(kind: str) -> None:
    """Of three frames each stands in its cell, row by row."""
    first, *rest = samples.frames(3)
    picture = canonical(samples.encoded(first, kind, save_all=True, append_images=rest))
    shown = samples.pixels(picture.data)
    assert (picture.width, picture.height, picture.frames) == (100, 68, 3)
    for (row, column), colour in {
        (20, 20): [255, 0, 0],
        (20, 72): [0, 255, 0],
        (56, 20): [0, 0, 255],
        (56, 72): [255, 255, 255],
    }.items():
        assert np.abs(shown[row, column] - colour).max() <= 8


def test_around_a_small_gif_frame_is_white() -> None:
    """A viewer shows its background where the first frame does not reach."""
    data = bytearray(samples.encoded(samples.frames(1)[0], "GIF"))
    data[6:10] = b"\x64\0\x64\0"
    picture = canonical(bytes(data))
    shown = samples.pixels(picture.data)
    assert (picture.width, picture.height) == (100, 100)
    assert shown[90, 90].tolist() == [255, 255, 255]
    assert shown[20, 20].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("JPEG", (9_000, 600), (4_096, 273)),
        ("PNG", (5_000, 2_500), (4_096, 2_048)),
        ("PNG", (3, 12_000), (1, 4_096)),
    ],
)
def test_large_pictures_are_scaled(
    kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """More than 4,096 px a side are scaled down in proportion, and look the same."""
    image = samples.gradient("RGB", size)
    picture = canonical(samples.encoded(image, kind))
    assert (picture.width, picture.height) == expected
    assert opened(picture.data).size == expected
    assert samples.difference(image.resize(expected, Image.Resampling.BOX), picture.data) < 4


def test_a_png_above_seven_megabytes_becomes_a_jpeg() -> None:
    """Noise of 1,500 x 1,500 px stays a PNG (6.75 MB), noise of 1,600 x 1,600 px does not."""
    small = canonical(samples.encoded(samples.noise((1_500, 1_500)), "PNG", compress_level=1))
    large = canonical(samples.encoded(samples.noise((1_600, 1_600)), "PNG", compress_level=1))
    assert small.mime == "image/png"
    assert 6_000_000 < len(small.data) < 7_000_000
    assert large.mime == "image/jpeg"
    assert opened(large.data).size == (1_600, 1_600)


def test_the_type_follows_the_received_file() -> None:
    """Lossless files become PNGs and others JPEGs."""
    image = samples.gradient()
    made = {
        name: canonical(samples.encoded(image, kind, **options)).mime
        for name, kind, options in [
            ("lossy webp", "WEBP", {}),
            ("lossless webp", "WEBP", {"lossless": True}),
            ("gif", "GIF", {}),
            ("avif", "AVIF", {}),
        ]
    }
    assert made == {
        "lossy webp": "image/jpeg",
        "lossless webp": "image/png",
        "gif": "image/png",
        "avif": "image/jpeg",
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_no_metadata_is_left(kind: str) -> None:
    """No EXIF, XMP, profile, comment or text of the received file is in picture or thumbnail."""
    exif = Image.Exif()
    exif[0x010E] = "secret words"
    options: dict[str, Any] = {
        "exif": exif,
        "xmp": b"<x:xmpmeta>secret words</x:xmpmeta>",
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "comment": "secret words",
    }
    data = samples.encoded(samples.gradient(), kind, **options)
    picture = canonical(data, thumbnail_side=32)
    opened(picture.data)
    assert picture.thumbnail is not None
    assert b"secret" in data
    assert b"secret" not in picture.data + picture.thumbnail
    assert not {"exif", "xmp", "icc_profile"} & set(Image.open(io.BytesIO(picture.thumbnail)).info)


@pytest.mark.parametrize(("size", "expected"), [((640, 480), (256, 192)), ((100, 50), (100, 50))])
def test_a_thumbnail_is_a_small_webp(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """It fits the side in proportion and is never enlarged; without a side there is none."""
    data = samples.encoded(samples.gradient("RGB", size), "JPEG")
    thumbnail = canonical(data, thumbnail_side=256).thumbnail
    assert thumbnail is not None
    with Image.open(io.BytesIO(thumbnail)) as image:
        assert (image.format, image.size) == ("WEBP", expected)
    assert canonical(data).thumbnail is None
