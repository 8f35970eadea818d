"""What ``headers`` says about good files of every format."""

import io
from typing import Any

import pytest
from PIL import Image

from service.errors import InputRefused
from service.pictures.headers import Header, Limits, check_limits, read
from tests.pictures import samples

PLAIN: list[tuple[str, str, dict[str, Any], str]] = [
    ("JPEG", "RGB", {}, "lossy image/jpeg"),
    ("JPEG", "L", {}, "lossy image/jpeg"),
    ("JPEG", "CMYK", {}, "lossy image/jpeg"),
    ("JPEG", "RGB", {"progressive": True}, "lossy image/jpeg"),
    ("PNG", "1", {}, "lossless image/png"),
    ("PNG", "L", {}, "lossless image/png"),
    ("PNG", "LA", {}, "lossless image/png"),
    ("PNG", "P", {"transparency": 3}, "lossless image/png"),
    ("PNG", "RGBA", {}, "lossless image/png"),
    ("PNG", "I;16", {}, "lossless image/png"),
    ("GIF", "P", {}, "lossless image/gif"),
    ("WEBP", "RGB", {}, "lossy image/webp"),
    ("WEBP", "RGBA", {}, "lossy image/webp"),
    ("WEBP", "RGB", {"lossless": True}, "lossless image/webp"),
    ("WEBP", "RGB", {"lossless": True, "exif": b"MM\0*\0\0\0\x08\0\0"}, "lossless image/webp"),
    ("AVIF", "RGB", {}, "lossy image/avif"),
    ("AVIF", "RGBA", {}, "lossy image/avif"),
]


@pytest.mark.parametrize(("kind", "mode", "options", "expected"), PLAIN)
def test_still_pictures_of_every_format(
    kind: str, mode: str, options: dict[str, Any], expected: str
) -> None:
    """Type, size and losslessness are those the file was made with; there is one frame."""
    image = samples.gradient("RGB", (61, 37))
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)
    header = read(samples.encoded(image, kind, **options))
    assert f"{'lossless' if header.lossless else 'lossy'} {header.mime}" == expected
    assert (header.width, header.height, header.frames) == (61, 37, 1)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF"])
@pytest.mark.parametrize("count", [2, 7])
def test_animations_count_their_frames(kind: str, count: int) -> None:
    """An animation has as many frames as it was made of."""
    first, *rest = samples.frames(count)
    header = read(samples.encoded(first, kind, save_all=True, append_images=rest))
    assert (header.width, header.height, header.frames) == (48, 32, count)


def test_a_multi_picture_jpeg_counts_its_pictures() -> None:
    """A JPEG with a Multi-Picture index has as many frames as the index says."""
    first, *rest = samples.frames(3)
    header = read(samples.encoded(first, "MPO", save_all=True, append_images=rest))
    assert (header.mime, header.frames) == ("image/jpeg", 3)


def test_a_gif_frame_may_be_larger_than_its_screen() -> None:
    """The size covers every frame, since decoders enlarge the canvas."""
    data = bytearray(samples.encoded(samples.gradient("P", (60, 40)), "GIF"))
    data[6:10] = b"\x01\0\x01\0"
    header = read(bytes(data))
    assert (header.width, header.height) == (60, 40)


@pytest.mark.parametrize(
    "path",
    sorted(
        path.name
        for path in samples.PHOTOS.iterdir()
        if path.suffix in {".png", ".jpg", ".jpeg", ".gif"}
    ),
)
def test_real_pictures_agree_with_pillow(path: str) -> None:
    """On real files type, size and frames are what Pillow finds."""
    data = (samples.PHOTOS / path).read_bytes()
    header = read(data)
    with Image.open(io.BytesIO(data)) as image:
        assert (header.width, header.height) == image.size
        assert header.mime == image.get_format_mimetype()
        assert header.frames == getattr(image, "n_frames", 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_metadata_is_counted(kind: str) -> None:
    """EXIF and a colour profile count with at least their own bytes, and a plain file with few."""
    image, exif = samples.gradient(), Image.Exif()
    exif[0x010E] = "x" * 20_000
    with_metadata = read(samples.encoded(image, kind, exif=exif, icc_profile=bytes(10_000)))
    # PNG packs a profile, so only its EXIF has a size to hold it to.
    assert with_metadata.metadata_bytes >= (20_000 if kind == "PNG" else 30_000)
    assert read(samples.encoded(image, kind)).metadata_bytes < 100


def test_metadata_behind_the_pixels_of_a_png_is_counted() -> None:
    """Text may follow the pixels; it counts as well."""
    plain = samples.encoded(samples.gradient(), "PNG")
    data = plain[:-12] + samples.chunk(b"tEXt", b"k\0" + b"v" * 2_000_000) + plain[-12:]
    with pytest.raises(InputRefused) as refused:
        check_limits(read(data), Limits())
    assert refused.value.code == "metadata_too_large"


def test_a_file_cut_off_behind_its_header_is_still_described() -> None:
    """The header of a truncated file is enough to say what it is."""
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "AVIF"):
        data = samples.encoded(samples.noise((200, 100)), kind)
        assert (read(data[: len(data) - 100]).width, read(data).height) == (200, 100)


LIMITED: list[tuple[Header, str | None]] = [
    (Header("image/png", 16_384, 2_400, 1, True, 0), None),
    (Header("image/png", 16_385, 1, 1, True, 0), "picture_too_large"),
    (Header("image/png", 1, 16_385, 1, True, 0), "picture_too_large"),
    (Header("image/png", 8_000, 5_000, 1, True, 0), None),
    (Header("image/png", 8_000, 5_001, 1, True, 0), "picture_too_large"),
    (Header("image/gif", 10, 10, 100, True, 0), None),
    (Header("image/gif", 10, 10, 101, True, 0), "too_many_frames"),
    (Header("image/gif", 2_000, 1_000, 100, True, 0), None),
    (Header("image/gif", 2_001, 1_000, 100, True, 0), "picture_too_large"),
    (Header("image/jpeg", 10, 10, 1, False, 1_000_000), None),
    (Header("image/jpeg", 10, 10, 1, False, 1_000_001), "metadata_too_large"),
]


@pytest.mark.parametrize(("header", "code"), LIMITED)
def test_limits(header: Header, code: str | None) -> None:
    """Each limit is allowed itself and refused one beyond, by its own code."""
    if code is None:
        check_limits(header, Limits())
        return
    with pytest.raises(InputRefused) as refused:
        check_limits(header, Limits())
    assert refused.value.code == code


def test_a_refusal_names_the_value_and_what_is_allowed() -> None:
    """A caller learns both numbers."""
    with pytest.raises(InputRefused, match=r"50000x7 .* 16384 "):
        check_limits(Header("image/png", 50_000, 7, 1, True, 0), Limits())
