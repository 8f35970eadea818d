"""
A file's frames as a viewer plays them, one after another, so that few are in memory at a time.
Pillow runs here, so only the limited child and the tests import this module.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Final

from PIL import Image, ImageChops, ImageStat

from service.errors import Unreadable
from service.pictures import apngs, boxes, colours, formats, gifs, orientation
from service.pictures.headers import Header, Limits, check_limits
from service.pictures.screens import Render

LIMITS: Final = Limits()
_FORMATS: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
_JPEG_START: Final = b"\xff\xd8\xff"
_ALIKE: Final = 2.0  # levels of 255, in the mean of a channel


@dataclass(frozen=True, slots=True)
class Frames:
    """
    ``count`` frames, in order: each ``Render`` gives its pixels upright, in sRGB and on white.

    A render is to be called before the next one is taken, if at all.
    """

    count: int
    renders: Iterator[Render]


def of(data: bytes, header: Header, largest: int) -> Frames:
    """
    Find the frames of a whole file whose header was read and found within ``LIMITS``.

    There may be fewer than the header tells.  A JPEG may be decoded smaller than it is, though not
    below ``largest`` pixels a side.

    Raises:
        Unreadable: There are more than the header tells.
        InputRefused: What would be decoded is beyond ``LIMITS``.
        Exception: Whatever Pillow makes of bad bytes, here and in each render.
    """
    if header.mime == "image/gif":
        blocks = gifs.blocks(data)
        return Frames(len(blocks), gifs.play(data, blocks))
    if header.mime == "image/png" and header.frames > 1:
        return _animated_png(data, header, largest)
    if header.mime == "image/jpeg" and header.frames > 1:
        return _pictures(data, largest)
    image = _opened(data, header, largest)
    found = Frames(_count(image), _play(image, data))
    if header.mime == "image/avif" and found.count > 1 and boxes.has_still(data):
        return _with_still(found, data, header, largest)
    return found


def _opened(data: bytes, header: Header, largest: int) -> Image.Image:
    """Open without decoding; the header is what we read, this is what would be decoded."""
    image = Image.open(io.BytesIO(data), formats=[_FORMATS[header.mime]])
    if _count(image) > header.frames:
        raise Unreadable(f"{_count(image)} frames, of which its header tells {header.frames}")
    check_limits(replace(header, width=image.width, height=image.height), LIMITS)
    scale = min(1.0, largest / max(image.size))
    image.draft(None, (round(image.width * scale), round(image.height * scale)))
    return image


def _count(image: Image.Image) -> int:
    # Pillow also counts the pictures behind a JPEG, which are files of their own here.
    return 1 if image.format in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))


def _play(image: Image.Image, data: bytes) -> Iterator[Render]:
    profile = colours.profile_of(image, data)
    depth = data[24] if image.format == "PNG" else 8
    for number in range(_count(image)):
        image.seek(number)
        yield partial(_rendered, image, data, profile, depth)


def _rendered(image: Image.Image, data: bytes, profile: bytes | None, depth: int) -> Image.Image:
    image.load()
    shown = colours.on_white(image, profile, depth=depth)
    if image.format == "PNG":
        return _upright_png(shown, data)
    return orientation.upright(shown, image.info.get("exif") or b"")


def _upright_png(image: Image.Image, data: bytes) -> Image.Image:
    return orientation.upright(image, formats.png_facts(data).get(b"eXIf", b""))


def _with_still(found: Frames, data: bytes, header: Header, largest: int) -> Frames:
    """
    Put the still of an AVIF sequence, which some viewers show instead, behind its frames.

    It is left out where it looks like the first frame, as it does unless somebody means harm.
    """
    alone = data[:8] + b"avif" + data[12:]
    (still,) = (render() for render in _play(_opened(alone, header, largest), alone))
    first = next(_play(_opened(data, header, largest), data))()
    if still.size == first.size:
        unlike = ImageStat.Stat(ImageChops.difference(still, first))
        if max(unlike.mean) <= _ALIKE:
            return found
    return Frames(found.count + 1, chain(found.renders, [lambda: still]))


def _animated_png(data: bytes, header: Header, largest: int) -> Frames:
    parts = apngs.parts(data)
    profile = colours.profile_of(_opened(data, header, largest), data)
    composed = apngs.play(data, parts, profile)
    renders = (partial(_turned, render, data) for render in composed)
    return Frames(len(parts.frames) + bool(parts.still), renders)


def _turned(render: Render, data: bytes) -> Image.Image:
    return _upright_png(render(), data)


def _pictures(data: bytes, largest: int) -> Frames:
    """
    Take each picture of a Multi-Picture JPEG for the JPEG file that it is.

    Platforms cut such files behind the first picture and leave the index.  What is not where
    the index says is no picture here, so it counts as one that nobody saw.
    """
    places = [0, *formats.mpf_places(data)[1:]]
    found = [place for place in places if data.startswith(_JPEG_START, place)]
    headers = [replace(formats.jpeg(data[place:]), frames=1, metadata_bytes=0) for place in found]
    total = sum(header.width * header.height for header in headers)
    if total > LIMITS.max_total_pixels:
        raise Unreadable(f"{len(found)} pictures of {total} pixels in all")
    return Frames(len(found), _play_files(data, found, headers, largest))


def _play_files(
    data: bytes, places: list[int], headers: list[Header], largest: int
) -> Iterator[Render]:
    for place, header in zip(places, headers, strict=True):
        file = data[place:]
        yield from _play(_opened(file, header, largest), file)
