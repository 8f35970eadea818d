"""
Says what a received file is and refuses what is no picture or too large, before it is decoded.
Nothing here decompresses, calls a C decoder or follows more than a fixed number of parts, so a
hostile 25 MB file costs tens of milliseconds at most.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import InputRefused
from service.pictures import boxes, formats
from service.pictures.formats import Header, Malformed

__all__ = ["ALLOWED", "Header", "Limits", "check_limits", "read"]

ALLOWED = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%PDF", "PDF"),
    (b"PK\3\4", "a ZIP archive or an office document"),
    (b"8BPS", "PSD"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x1f\x8b", "gzip"),
    (b"\x1a\x45\xdf\xa3", "Matroska or WebM video"),
    (b"RIFF", "AVI or WAV"),
)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_HTML = re.compile(rb"<!doctype html|<html[\s>]|<body[\s>]|<head[\s>]", re.IGNORECASE)
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may be: bytes, pixels, pixels a side, frames, pixels of all frames."""

    max_bytes: int = 25_000_000
    max_pixels: int = 40_000_000
    max_side: int = 16_384
    max_frames: int = 100
    max_total_pixels: int = 200_000_000
    max_metadata: int = 1_000_000


def read(data: bytes) -> Header:
    """
    Read what a picture says about itself; a file cut off behind its header is fine here.

    Raises:
        InputRefused: ``not_an_image``; the message names what the bytes look like.
    """
    reader = _reader(data)
    if reader is None:
        raise _refused(f"the file is {_looks_like(data)}")
    name = reader.__name__.upper()
    try:
        header = reader(data)
    except Malformed as error:
        raise _refused(f"the file begins like {name} and has {error}") from error
    except (struct.error, IndexError) as error:
        raise _refused(f"the file begins like {name} and its header is cut off") from error
    if not header.width or not header.height:
        raise _refused(f"the {name} is {header.width}x{header.height} pixels")
    return header


def check_limits(header: Header, limits: Limits) -> None:
    """
    Refuse a picture that is too expensive to decode.

    Raises:
        InputRefused: ``picture_too_large``, ``too_many_frames`` or ``metadata_too_large``.
    """
    size = f"{header.width}x{header.height}"
    pixels = header.width * header.height
    if max(header.width, header.height) > limits.max_side:
        message = f"the picture is {size} pixels; {limits.max_side} a side are allowed"
        raise InputRefused("picture_too_large", message)
    if pixels > limits.max_pixels:
        message = f"the picture is {size} = {pixels} pixels; {limits.max_pixels} are allowed"
        raise InputRefused("picture_too_large", message)
    if header.frames > limits.max_frames:
        message = f"the picture has {header.frames} frames; {limits.max_frames} are allowed"
        raise InputRefused("too_many_frames", message)
    if header.frames * pixels > limits.max_total_pixels:
        total = f"{header.frames} frames of {size} = {header.frames * pixels} pixels"
        message = f"the picture has {total}; {limits.max_total_pixels} in all frames are allowed"
        raise InputRefused("picture_too_large", message)
    if header.metadata_bytes > limits.max_metadata:
        message = (
            f"the picture carries {header.metadata_bytes} bytes of metadata; "
            f"{limits.max_metadata} are allowed"
        )
        raise InputRefused("metadata_too_large", message)


def _reader(data: bytes) -> Callable[[bytes], Header] | None:
    if data.startswith(b"\xff\xd8\xff"):
        return formats.jpeg
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return formats.png
    if data.startswith((b"GIF87a", b"GIF89a")):
        return formats.gif
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return formats.webp
    if boxes.media(data) == "AVIF":
        return boxes.avif
    return None


def _looks_like(data: bytes) -> str:
    if not data:
        return "empty"
    media = boxes.media(data)
    if media is not None:
        return media
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    begin = data[:1024]
    if _SVG.search(begin):
        return "SVG"
    if _HTML.search(begin):
        return "HTML"
    return "of an unknown type" if _NO_TEXT.search(begin) else "text"


def _refused(message: str) -> InputRefused:
    return InputRefused("not_an_image", f"{message}; allowed are {', '.join(ALLOWED)}")
