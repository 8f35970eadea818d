"""
Makes the one canonical picture that the model, the moderator and the store see.
Pillow runs here, so only the limited child and the tests import this module.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PIL import ExifTags, Image, ImageChops, ImageCms, UnidentifiedImageError

from service.errors import InputRefused, Unreadable
from service.pictures.headers import Header, Limits, check_limits, read
from service.pictures.wire import MAX_SIDE, Picture

__all__ = ["OutOfMemory", "Picture", "canonical"]

MAX_PNG = 7_000_000  # a PNG is kept below this
_JPEG_QUALITY = 95
_PNG_LEVEL = 2  # a quarter of the time of level 6 for files 10 to 20 % larger
_THUMBNAIL_QUALITY = 80
_THUMBNAIL_METHOD = 2
_WHITE = (255, 255, 255)
_LIMITS = Limits()
_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class OutOfMemory(Unreadable):
    """Decoding needs more memory than the child may have."""


class _TooLong(Exception):
    """The file being written has reached its limit."""


class _BoundedFile(io.BytesIO):
    """A file in memory that stays below ``limit`` bytes, so a pointless encode ends early."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any, /) -> int:
        """Append; raises _TooLong instead of reaching the limit."""
        if self.tell() + len(data) >= self._limit:
            raise _TooLong
        return super().write(data)


def canonical(data: bytes, *, thumbnail_side: int | None = None) -> Picture:
    """
    Decode a received file and encode it anew.

    The picture is upright, on white, 8 bit sRGB, at most 4,096 px a side and without metadata.  Of
    a file with several frames it is the first one that a viewer plays.  It is a PNG if the received
    file was lossless and the PNG stays below 7,000,000 bytes, else a JPEG (quality 95, 4:4:4).  The
    same bytes give the same picture.

    Args:
        data: A whole JPEG, PNG, WebP, GIF or AVIF file within the default ``Limits``.
        thumbnail_side: Most pixels a side of the WebP thumbnail; None makes none.

    Raises:
        Unreadable: It is no such file, it is damaged or cut off, or exceeds a limit.
        OutOfMemory: It needs more memory than this process may have.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of oddities that viewers pass over; what it cannot decode it raises.
            warnings.simplefilter("ignore")
            header = read(data)
            check_limits(header, _LIMITS)
            return _encode(_decode(data, header), header, thumbnail_side)
    except InputRefused as refused:
        raise Unreadable(str(refused)) from refused
    except UnidentifiedImageError as error:
        raise Unreadable("the file is damaged at its begin") from error
    except MemoryError as error:
        raise OutOfMemory("decoding the file needs too much memory") from error
    # Pillow answers bad files with OSError, SyntaxError, ValueError, RuntimeError and many more.
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from error


def _decode(data: bytes, header: Header) -> Image.Image:
    """Give the upright RGB pixels, at most ``MAX_SIDE`` a side."""
    with Image.open(io.BytesIO(data), formats=[_FORMATS[header.mime]]) as image:
        # The header is what we read; this is what would be decoded.
        check_limits(replace(header, width=image.width, height=image.height), _LIMITS)
        target = _fit(image.size, MAX_SIDE)
        image.draft(None, target)
        if image.info.get("default_image"):
            # A PNG viewer that plays animations never shows this picture.
            image.seek(1)
        covered = image.tile[0].extents if header.mime == "image/gif" else None
        image.load()
        profile, orientation = image.info.get("icc_profile"), _orientation(image)
        colour, alpha = _colour_and_alpha(image, data)
    rgb = _srgb(colour, profile)
    if alpha is not None:
        rgb.paste(_WHITE, mask=ImageChops.invert(alpha))
    if covered is not None and covered != (0, 0, *rgb.size):
        # Around a GIF's first frame a viewer shows what is behind the picture.
        canvas = Image.new("RGB", rgb.size, _WHITE)
        canvas.paste(rgb.crop(covered), covered)
        rgb = canvas
    if rgb.size != target:
        rgb = rgb.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    turn = _UPRIGHT.get(orientation)
    return rgb if turn is None else rgb.transpose(turn)


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    width, height = size
    longest = max(width, height)
    if longest <= side:
        return size
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def _orientation(image: Image.Image) -> int:
    """
    Read the EXIF orientation as browsers do: from EXIF only, and 1 where EXIF is damaged.

    Pillow's own ``getexif`` also believes XMP, which no browser does.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  Pillow's parser raises whatever the bytes provoke.
        return 1


def _colour_and_alpha(image: Image.Image, data: bytes) -> tuple[Image.Image, Image.Image | None]:
    """Split into L, RGB or CMYK pixels and their opacity (L), which is None where all is opaque."""
    if image.format == "PNG" and "transparency" in image.info:
        image.info["transparency"] = _transparency(image, depth=data[24])
    if image.mode == "I;16":
        return _from_16_bit(image)
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        if image.mode in ("L", "RGB", "CMYK"):
            return image, None
        return image.convert("L" if image.mode == "1" else "RGB"), None
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    return rgba.convert("RGB"), rgba.getchannel("A")


def _transparency(image: Image.Image, *, depth: int) -> Any:
    """
    Bring a PNG's transparent colour to the 8 bits that Pillow's pixels have.

    Pillow spreads 2 and 4 bit grey over 0 to 255 and keeps 8 of 16 bits of a colour, yet leaves the
    transparent value as it stands in the file (PngImagePlugin, chunk_tRNS).
    """
    value = image.info["transparency"]
    if image.mode == "RGB" and depth == 16:
        return tuple(sample >> 8 for sample in value)
    if image.mode == "L" and depth in (2, 4):
        return value * 255 // ((1 << depth) - 1)
    return value


def _from_16_bit(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale 16 bit grey to 8 bit; Pillow's own conversion clips it."""
    wide = image.convert("I")
    grey = wide.point([(value * 255 + 32_767) // 65_535 for value in range(65_536)], "L")
    clear = image.info.get("transparency")
    if clear is None:
        return grey, None
    return grey, wide.point([0 if value == clear else 255 for value in range(65_536)], "L")


def _srgb(colour: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB by the embedded profile; viewers ignore one that cannot be used, so do we."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            wanted = _CONVERT_FOR.get(source.profile.xcolor_space.strip(), _as_it_is)
            converted = ImageCms.profileToProfile(
                wanted(colour), source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return converted
    return colour.convert("RGB")


def _as_it_is(colour: Image.Image) -> Image.Image:
    return colour


def _grey(colour: Image.Image) -> Image.Image:
    return colour.convert("L") if colour.mode == "RGB" else colour


def _rgb(colour: Image.Image) -> Image.Image:
    return colour.convert("RGB") if colour.mode == "L" else colour


_CONVERT_FOR: dict[str, Callable[[Image.Image], Image.Image]] = {"GRAY": _grey, "RGB": _rgb}


def _encode(image: Image.Image, header: Header, thumbnail_side: int | None) -> Picture:
    # Encoders write comments, profiles and resolutions that they find here.
    image.info.clear()
    data, mime = (_png(image) if header.lossless else None), "image/png"
    if data is None:
        data, mime = _jpeg(image), "image/jpeg"
    thumbnail = None if thumbnail_side is None else _thumbnail(image, thumbnail_side)
    return Picture(data, mime, image.width, image.height, thumbnail)


def _png(image: Image.Image) -> bytes | None:
    file = _BoundedFile(MAX_PNG)
    try:
        image.save(file, "PNG", compress_level=_PNG_LEVEL)
    except _TooLong:
        return None
    return file.getvalue()


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def _thumbnail(image: Image.Image, side: int) -> bytes:
    file = io.BytesIO()
    small = image.resize(_fit(image.size, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.save(file, "WEBP", quality=_THUMBNAIL_QUALITY, method=_THUMBNAIL_METHOD)
    return file.getvalue()
