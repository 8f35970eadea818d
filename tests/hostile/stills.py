"""Single pictures that some programs show in another way than browsers do."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.hostile import containers, drawing
from tests.hostile.cases import MARKER, Case
from tests.hostile.containers import code_points, exif, gamma, packed_profile, profile
from tests.pictures.samples import chunk

SCENE = drawing.scene()
SAMPLES = drawing.levels(SCENE)
LIGHT = drawing.light(SAMPLES)
GREY = drawing.levels(SCENE.convert("L"))
# As the profile and the primaries below want it.
EXCHANGED = LIGHT[..., [1, 0, 2]] ** (1 / 2.2)
SWAPPING = profile(2.2, (1, 0, 2))
LINEAR = profile(1.0)
# From linear light in sRGB to Display P3: rows of the matrix of both spaces' primaries.
TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
# Red's and green's places exchanged.
SWAPPED_PRIMARIES = (0.3127, 0.3290, 0.30, 0.60, 0.64, 0.33, 0.15, 0.06)
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def cases() -> Iterator[Case]:
    """Make them all."""
    for name, data in {**_gammas(), **_profiles(), **_numbers(), **_cmyk(), **_unturned()}.items():
        yield Case(name, data, reference=SCENE)
    yield from _wide()
    yield from _transparent()
    yield from _turned()
    yield from _grey()


def _gammas() -> dict[str, bytes]:
    def png(samples: drawing.Levels, *extra: bytes) -> bytes:
        return containers.wide_png(samples, extra=b"".join(extra))

    primaries = containers.chromaticities(*SWAPPED_PRIMARIES)
    palette = drawing.picture(LIGHT).quantize(256, dither=Image.Dither.NONE)
    return {
        "png gamma 1.0": png(LIGHT, gamma(1.0)),
        "png gamma 0.2": png(LIGHT**0.2, gamma(0.2)),
        "png gamma 0.7": png(LIGHT**0.7, gamma(0.7)),
        "png 16 bit gamma 1.0": containers.wide_png(LIGHT, depth=16, extra=gamma(1.0)),
        "png gamma and swapped primaries": png(EXCHANGED, gamma(1 / 2.2), primaries),
        "png swapped primaries without gamma": png(SAMPLES, primaries),
        "png gamma below sRGB": png(SAMPLES, gamma(1.0), chunk(b"sRGB", b"\0")),
        "png gamma behind the pixels": containers.before_end(png(SAMPLES), gamma(1.0)),
        "png gamma 0": png(SAMPLES, gamma(0.0)),
        "png two gammas": png(LIGHT, gamma(1.0), gamma(1 / 2.2)),
        "png palette gamma 1.0": containers.after_header(
            drawing.encoded(palette, "PNG"), gamma(1.0)
        ),
    }


def _numbers() -> dict[str, bytes]:
    """Colours told by numbers: PNG's cICP, AVIF's nclx, a profile's cicp."""
    p3 = drawing.samples_of(LIGHT @ TO_P3.T)
    linear = containers.code_points(1, 8)
    told = ((b"cicp", b"cicp" + bytes(4) + bytes((1, 8, 0, 1))),)
    unlike = packed_profile(SWAPPING)
    return {
        "png cicp linear": containers.wide_png(LIGHT, extra=linear),
        "png 16 bit cicp linear": containers.wide_png(LIGHT, depth=16, extra=linear),
        "png cicp p3": containers.wide_png(p3, extra=code_points(12, 13)),
        "png cicp before profile": containers.wide_png(SAMPLES, extra=code_points(1, 13) + unlike),
        "png cicp before gamma": containers.wide_png(SAMPLES, extra=gamma(1) + code_points(1, 13)),
        "png cicp of nothing known": containers.wide_png(
            LIGHT, extra=code_points(2, 13) + gamma(1.0)
        ),
        "png profile with linear cicp": containers.wide_png(
            LIGHT, extra=packed_profile(profile(2.2, extra=told))
        ),
        "avif linear": containers.nclx(drawing.avif(drawing.picture(LIGHT), quality=100), 1, 8),
        "avif p3": containers.nclx(drawing.avif(drawing.picture(p3)), 12, 13),
        "avif of nothing known": containers.nclx(drawing.avif(SCENE), 2, 2),
        "avif profile before numbers": containers.nclx(
            drawing.avif(drawing.picture(EXCHANGED), icc_profile=SWAPPING), 1, 8
        ),
    }


def _profiles() -> dict[str, bytes]:
    exchanged, linear = drawing.picture(EXCHANGED), drawing.picture(LIGHT)
    first = packed_profile(LINEAR) + packed_profile(profile(2.2))
    plain = containers.wide_png(SAMPLES)
    named = {b"link", b"abst", b"nmcl", b"zzzz"}
    return {
        "jpeg swapping profile": drawing.photo(exchanged, icc_profile=SWAPPING),
        "png swapping profile": drawing.encoded(exchanged, "PNG", icc_profile=SWAPPING),
        "webp swapping profile": drawing.encoded(
            exchanged, "WEBP", lossless=True, icc_profile=SWAPPING
        ),
        "jpeg linear profile": drawing.photo(linear, icc_profile=LINEAR, quality=100),
        "png two profiles": containers.wide_png(LIGHT, extra=first),
        "png profile behind the pixels": containers.before_end(plain, packed_profile(LINEAR)),
        "png grey profile": containers.wide_png(
            SAMPLES, extra=packed_profile(profile(1.0, space=b"GRAY"))
        ),
        "jpeg grey profile": drawing.photo(SCENE, icc_profile=profile(1.0, space=b"GRAY")),
        "png damaged profile": containers.wide_png(SAMPLES, extra=chunk(b"iCCP", b"p\0\0damaged")),
        "jpeg damaged profile": drawing.photo(SCENE, icc_profile=LINEAR[:-60]),
        "png profile of another space": containers.wide_png(
            LIGHT, extra=packed_profile(profile(1.0, space=b"Lab "))
        ),
        **{
            f"png profile of class {kind.decode()}": containers.wide_png(
                LIGHT, extra=packed_profile(profile(1.0, kind=kind))
            )
            for kind in sorted(named)
        },
    }


def _cmyk() -> dict[str, bytes]:
    inks = drawing.photo(SCENE.convert("CMYK"))
    return {
        "jpeg cmyk inverted": inks,
        "jpeg cmyk without adobe": containers.without_adobe(inks),
        "jpeg ycck": containers.ycck(SCENE),
        "jpeg cmyk with an rgb profile": drawing.photo(SCENE.convert("CMYK"), icc_profile=SWAPPING),
        "jpeg rgb": drawing.photo(SCENE, keep_rgb=True),
        "jpeg progressive": drawing.photo(SCENE, progressive=True),
        "jpeg restarts": drawing.photo(SCENE, restart_marker_blocks=1),
        "png interlaced": containers.interlaced_png(SCENE),
    }


def _unturned() -> dict[str, bytes]:
    """Orientations that browsers pass over."""
    turned = Image.Exif()
    turned[0x0113] = 6
    avif = drawing.avif(SCENE, exif=turned).replace(b"\1\x13\0\3", b"\1\x12\0\3")
    xmp = b'<x:xmpmeta><rdf:RDF tiff:Orientation="6">' + MARKER + b"</rdf:RDF></x:xmpmeta>"
    jpeg = drawing.photo(SCENE)
    first = containers.segment(0xE1, b"Exif\0\0" + exif(1))
    second = containers.segment(0xE1, b"Exif\0\0" + exif(6))
    broken = containers.segment(0xE1, b"Exif\0\0damaged")
    return {
        "jpeg orientation of a long": drawing.photo(SCENE, exif=b"Exif\0\0" + exif(6, kind=4)),
        "jpeg orientation in xmp": drawing.photo(SCENE, xmp=xmp),
        "jpeg second orientation": containers.after_start(jpeg, first, second),
        "jpeg orientation after damage": containers.after_start(jpeg, broken, second),
        "png orientation behind the pixels": containers.before_end(
            drawing.encoded(SCENE, "PNG"), chunk(b"eXIf", exif(6))
        ),
        "avif orientation in exif only": avif,
    }


def _turned() -> Iterator[Case]:
    for orientation, turn in STORED.items():
        order = "<>"[orientation % 2]
        said = exif(orientation, order=order)
        stored = SCENE.transpose(turn)
        for name, data in {
            "jpeg": drawing.photo(stored, exif=b"Exif\0\0" + said),
            "png": containers.after_header(drawing.encoded(stored, "PNG"), chunk(b"eXIf", said)),
            "webp": drawing.encoded(stored, "WEBP", lossless=True, exif=said),
            "avif": drawing.avif(stored, exif=said),
        }.items():
            yield Case(f"{name} orientation {orientation}", data, reference=SCENE)
    once = drawing.encoded(SCENE.transpose(STORED[6]), "PNG")
    twice = chunk(b"eXIf", exif(6)) + chunk(b"eXIf", exif(3))
    yield Case("png two orientations", containers.after_header(once, twice), reference=SCENE)


def _wide() -> Iterator[Case]:
    """Pictures whose low bytes hold another one."""
    high, low = np.asarray(SCENE).astype(np.uint16), np.asarray(drawing.decoy()).astype(np.uint16)
    samples = (high * 256 + low).astype(">u2")
    yield Case("png decoy in low bytes", containers.raw_png(samples, depth=16), reference=SCENE)
    bright = containers.raw_png(low.astype(">u2"), depth=16, extra=gamma(5.0))
    yield Case("png low bytes made bright", bright, "unreadable")
    grey = containers.raw_png(samples[..., :1], depth=16)
    shown = SCENE.getchannel("R").convert("RGB")
    yield Case("png decoy in low bytes of grey", grey, reference=shown)


def _transparent() -> Iterator[Case]:
    veiled, hiding = drawing.veiled(), drawing.hiding()
    shown = drawing.on_white(hiding)
    indexed = containers.gif(drawing.SIZE, [containers.Frame(hiding)])
    yield Case("png hidden", drawing.encoded(hiding, "PNG"), reference=shown)
    webp = drawing.encoded(hiding, "WEBP", lossless=True, exact=True)
    yield Case("webp hidden", webp, reference=shown)
    yield Case("gif hidden", indexed, reference=shown)
    yield Case("avif hidden", drawing.avif(hiding), reference=shown)
    palette = drawing.encoded(hiding.quantize(256, method=Image.Quantize.FASTOCTREE), "PNG")
    yield Case("png palette hidden", palette, reference=shown)
    yield Case("png veiled", drawing.encoded(veiled, "PNG"), reference=drawing.on_white(veiled))
    wide = containers.wide_png(drawing.levels(veiled), depth=16)
    yield Case("png 16 bit veiled", wide, reference=drawing.on_white(veiled))
    yield Case("avif veiled", drawing.avif(veiled), reference=drawing.on_white(veiled))
    clear = struct.pack(">HHH", 20, 20, 20)
    keyed = containers.wide_png(SAMPLES, extra=chunk(b"tRNS", clear))
    mask = np.asarray(SCENE) == 20
    page = np.where(mask.all(2, keepdims=True), 255, np.asarray(SCENE)).astype(np.uint8)
    yield Case("png one colour transparent", keyed, reference=Image.fromarray(page))


def _grey() -> Iterator[Case]:
    linear, shown = drawing.light(GREY), SCENE.convert("L").convert("RGB")
    grey = profile(1.0, space=b"GRAY")
    for name, data in {
        "png grey gamma 1.0": containers.wide_png(linear, extra=gamma(1.0)),
        "png 16 bit grey gamma 1.0": containers.wide_png(linear, depth=16, extra=gamma(1.0)),
        "png grey linear profile": containers.wide_png(linear, extra=packed_profile(grey)),
        "png grey rgb profile": containers.wide_png(linear, extra=packed_profile(LINEAR)),
        "jpeg grey linear profile": drawing.photo(drawing.picture(linear), icc_profile=grey),
    }.items():
        yield Case(name, data, reference=shown)
