"""
The colours that a viewer shows: which profile a file is to be seen by, and pixels in sRGB on white.
Pillow runs here, so only the limited child and the tests import this module.
"""

import contextlib
import io
import struct
import zlib
from typing import Any, Final

from PIL import Image, ImageChops, ImageCms

from service.errors import Unreadable
from service.pictures import boxes, formats, profiles

MAX_PROFILE: Final = 1_000_000
WHITE: Final = (255, 255, 255)
# Viewers take a gamma this near to a screen's own for sRGB.
_NEAR_A_SCREEN: Final = 0.05
_AVIF_VIDEO: Final = (1, 6, 14, 15)
_CLASS, _SPACE = slice(12, 16), slice(16, 20)


def on_white(image: Image.Image, profile: bytes | None, *, depth: int = 8) -> Image.Image:
    """Give a decoded picture's pixels in sRGB, alpha flattened on white; see ``shown``."""
    rgb, alpha = shown(image, profile, depth=depth)
    if alpha is not None:
        rgb.paste(WHITE, mask=ImageChops.invert(alpha))
    return rgb


def shown(
    image: Image.Image, profile: bytes | None, *, depth: int = 8
) -> tuple[Image.Image, Image.Image | None]:
    """
    Give a decoded picture's pixels in sRGB, and their opacity (L), None where all is opaque.

    Args:
        image: Loaded, of any mode that Pillow decodes the allowed formats to.
        profile: What ``profile_of`` gave for its file.
        depth: Bits a sample in the file; matters for a PNG's transparent colour only.
    """
    if image.format == "PNG" and "transparency" in image.info:
        image.info["transparency"] = _transparency(image, depth)
    colour, alpha = _colour_and_alpha(image)
    return _srgb(colour, profile), alpha


def profile_of(image: Image.Image, data: bytes) -> bytes | None:
    """Give the ICC profile that a viewer sees a file's pixels by; None if they are sRGB."""
    if image.format == "PNG":
        return _of_png(formats.png_facts(data), wide=data[24] == 16)
    profile: bytes | None = image.info.get("icc_profile")
    if profile:
        return _of_profile(profile)
    if image.format == "AVIF" and (numbers := boxes.nclx(data)) is not None:
        primaries, transfer = numbers
        # Viewers show video's transfer functions, and unknown ones, as sRGB here.
        transfer = 13 if transfer in _AVIF_VIDEO or not profiles.known(1, transfer) else transfer
        return profiles.of_code_points(primaries if profiles.known(primaries, 13) else 1, transfer)
    return None


def _of_profile(profile: bytes) -> bytes | None:
    """Let a profile's own code points, where it has some, go before its curves, as viewers do."""
    for signature, content in profiles.tags(profile):
        if signature == b"cicp" and len(content) >= 12 and profiles.known(content[8], content[9]):
            return profiles.of_code_points(content[8], content[9])
    return profile


def _of_png(facts: dict[bytes, bytes], *, wide: bool) -> bytes | None:
    """
    Choose among a PNG's colour chunks.  Source: PNG third edition, 4.3, table 1.

    Raises:
        Unreadable: The low bytes of 16-bit samples would show in some viewers and not in others.
    """
    numbers = facts.get(b"cICP", b"")
    if len(numbers) == 4 and profiles.known(numbers[0], numbers[1]):
        return profiles.of_code_points(numbers[0], numbers[1])
    if b"iCCP" in facts:
        return _of_profile(_unpacked(facts[b"iCCP"]))
    if b"sRGB" in facts or len(facts.get(b"gAMA", b"")) != 4:
        return None
    gamma = int.from_bytes(facts[b"gAMA"], "big") / 100_000
    if wide and gamma > 1.1:
        raise Unreadable(f"a gamma of {gamma:g} shows in 16-bit samples what some viewers drop")
    if gamma == 0:
        return None
    primaries = _chromaticities(facts.get(b"cHRM", b""))
    if primaries is None and abs(gamma * 2.2 - 1) < _NEAR_A_SCREEN:
        return None
    return profiles.of(primaries or profiles.SRGB, profiles.power(1 / gamma))


def _chromaticities(chunk: bytes) -> profiles.Primaries | None:
    if len(chunk) != 32:
        return None
    white_x, white_y, *colours = (value / 100_000 for value in struct.unpack(">8I", chunk))
    red_x, red_y, green_x, green_y, blue_x, blue_y = colours
    return red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y


def _unpacked(chunk: bytes) -> bytes:
    """Unpack an iCCP chunk; a viewer ignores one that cannot be, or that grows without an end."""
    packed = chunk.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, MAX_PROFILE)
    except zlib.error:
        return b""


def _colour_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split into L, RGB or CMYK pixels and their opacity (L), which is None where all is opaque."""
    if image.mode == "I;16":
        return _from_16_bit(image)
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.mode not in ("PA", "RGBA") and "transparency" not in image.info:
        if image.mode in ("L", "RGB", "CMYK"):
            return image, None
        return image.convert("L" if image.mode == "1" else "RGB"), None
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    colour = rgba.convert("RGB")
    return colour.convert("L") if image.mode in ("1", "L") else colour, rgba.getchannel("A")


def _transparency(image: Image.Image, depth: int) -> Any:
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
    """Convert to sRGB by a profile; viewers ignore one that does not suit the pixels, so do we."""
    if profile and (suited := _suited(profile, colour.mode)) is not None:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = ImageCms.profileToProfile(
                colour if _is_grey(suited) else _coloured(colour),
                ImageCms.ImageCmsProfile(io.BytesIO(suited)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            if converted is not None:
                return converted
    # A large picture is not copied for nothing: memory is what these processes lack.
    return colour if colour.mode == "RGB" else colour.convert("RGB")


def _suited(profile: bytes, mode: str) -> bytes | None:
    """Give the profile as viewers use it for these pixels: whatever class it says it is of."""
    space = profile[_SPACE]
    if (space == b"GRAY" and mode != "L") or ((space == b"CMYK") != (mode == "CMYK")):
        return None
    known = space if space in (b"GRAY", b"CMYK") else b"RGB "
    return profile[:12] + b"mntr" + known + profile[20:]


def _is_grey(profile: bytes) -> bool:
    return profile[_SPACE] == b"GRAY"


def _coloured(colour: Image.Image) -> Image.Image:
    return colour.convert("RGB") if colour.mode == "L" else colour
