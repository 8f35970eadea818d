"""
Makes the one canonical picture that the model, the moderator and the store see.
Pillow runs here, so only the limited child and the tests import this module.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, UnidentifiedImageError

from service.errors import InputRefused, Unreadable
from service.pictures import frames, sheets
from service.pictures.headers import Header, check_limits, read
from service.pictures.wire import MAX_SIDE, Picture

__all__ = ["OutOfMemory", "Picture", "as_it_is", "canonical", "decoded", "encoded", "refusals"]

MAX_PNG = 7_000_000  # a PNG is kept below this
_JPEG_QUALITY = 95
_PNG_LEVEL = 2  # a quarter of the time of level 6 for files 10 to 20 % larger
_THUMBNAIL_QUALITY = 80
_THUMBNAIL_METHOD = 0  # two thirds of the time of 2, for files a seventh larger
_THUMBNAIL_GAP = 1.5  # two thirds of the time of 2.0, for a mean of 1 level of 255


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
    a file with several frames it is the contact sheet of ``service.pictures.sheets``.  It is a PNG
    if the received file was lossless and the PNG stays below 7,000,000 bytes, else a JPEG (quality
    95, 4:4:4).  The same bytes give the same picture.

    Args:
        data: A whole JPEG, PNG, WebP, GIF or AVIF file within the default ``Limits``.
        thumbnail_side: Most pixels a side of the WebP thumbnail; None makes none.

    Raises:
        Unreadable: It is no such file, it is damaged or cut off, or exceeds a limit.
        OutOfMemory: It needs more memory than this process may have.
    """
    with refusals():
        image, header, shown = decoded(data)
        return encoded(image, shown, lossless=header.lossless, thumbnail_side=thumbnail_side)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn whatever a file provokes into Unreadable or OutOfMemory."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of oddities that viewers pass over; what it cannot decode it raises.
            warnings.simplefilter("ignore")
            yield
    except InputRefused as refused:
        raise Unreadable(str(refused)) from refused
    except UnidentifiedImageError as error:
        raise Unreadable("the file is damaged at its begin") from error
    except MemoryError as error:
        raise OutOfMemory("decoding the file needs too much memory") from error
    # Pillow answers bad files with OSError, SyntaxError, ValueError, RuntimeError and many more.
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from error


def decoded(data: bytes) -> tuple[Image.Image, Header, int]:
    """Give the pixels, at most ``MAX_SIDE`` a side, the header, and how many frames they show."""
    header = read(data)
    check_limits(header, frames.LIMITS)
    found = frames.of(data, header, MAX_SIDE)
    if found.count > 1:
        image, shown = sheets.sheet(found)
        return image, header, shown
    render = next(found.renders)
    return sheets.fitted(render(), (MAX_SIDE, MAX_SIDE)), header, 1


def encoded(
    image: Image.Image, shown: int, *, lossless: bool, thumbnail_side: int | None
) -> Picture:
    """
    Encode pixels as ``canonical`` says; ``lossless``: the file that they are from was.

    What the image knows of its file is taken away from it.
    """
    # Encoders write what they find in a file's own image: comments, profiles, resolutions.
    image.info.clear()
    data, mime = (_png(image) if lossless else None), "image/png"
    if data is None:
        data, mime = _jpeg(image), "image/jpeg"
    thumbnail = None if thumbnail_side is None else _thumbnail(image, thumbnail_side)
    return Picture(data, mime, image.width, image.height, shown, thumbnail)


def as_it_is(
    data: bytes, header: Header, image: Image.Image, shown: int, thumbnail_side: int
) -> Picture:
    """Give a canonical picture's own file; ``image`` is what it decodes to."""
    thumbnail = _thumbnail(image, thumbnail_side)
    return Picture(data, header.mime, image.width, image.height, shown, thumbnail)


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
    small = sheets.fitted(image, (side, side), gap=_THUMBNAIL_GAP)
    small.save(file, "WEBP", quality=_THUMBNAIL_QUALITY, method=_THUMBNAIL_METHOD)
    return file.getvalue()
