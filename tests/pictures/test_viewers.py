"""The canonical picture is what a viewer shows; the numbers here are those of Chromium 156."""

import struct
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from service.errors import Unreadable
from service.pictures import orientation, profiles
from service.pictures.canonical import canonical
from tests.hostile import containers, moving, stills
from tests.hostile.cases import Case
from tests.pictures import samples

RAMP = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (2, 1, 3))
PLACES = [16, 64, 128, 192, 240]
# H.273's number of a transfer function, and what is seen of the grey levels in PLACES.
TRANSFERS = {
    1: [4, 54, 121, 189, 239],
    2: [16, 64, 128, 192, 240],
    4: [7, 62, 129, 193, 240],
    5: [1, 40, 106, 179, 237],
    7: [34, 81, 141, 199, 242],
    8: [71, 137, 188, 225, 248],
    13: [16, 64, 128, 192, 240],
    16: [1, 30, 132, 255, 255],
    17: [3, 48, 118, 191, 247],
    18: [3, 43, 99, 189, 243],
    99: [16, 64, 128, 192, 240],
}
# H.273's number of primaries, and what is seen of (200, 100, 50) and (50, 200, 100).
PRIMARIES = {
    1: [[200, 100, 50], [50, 200, 100]],
    4: [[232, 93, 30], [0, 197, 93]],
    5: [[203, 100, 51], [21, 200, 102]],
    6: [[196, 102, 49], [69, 197, 99]],
    8: [[222, 92, 32], [0, 205, 90]],
    9: [[241, 76, 29], [0, 211, 82]],
    10: [[255, 0, 61], [0, 255, 44]],
    11: [[211, 93, 32], [0, 204, 86]],
    12: [[215, 93, 31], [0, 204, 86]],
    22: [[202, 102, 49], [36, 196, 100]],
    99: [[200, 100, 50], [50, 200, 100]],
}
GAMMAS = {
    0.1: [0, 0, 3, 68, 195],
    0.42: [5, 54, 122, 189, 239],
    0.44: [16, 64, 128, 192, 240],
    0.46: [16, 64, 128, 192, 240],
    0.5: [13, 71, 137, 198, 242],
    3.0: [169, 208, 230, 245, 253],
}


def seen(data: bytes) -> samples.Pixels:
    return samples.pixels(canonical(data).data)


@pytest.mark.parametrize("part", [stills, moving])
def test_hostile_pictures(part: ModuleType, subtests: pytest.Subtests) -> None:
    """A picture made to be seen in two ways is seen as the reference, or it is unreadable."""
    cases: list[Case] = list(part.cases())
    for case in cases:
        with subtests.test(case.name):
            if case.fate == "unreadable":
                with pytest.raises(Unreadable):
                    canonical(case.data)
            else:
                assert case.reference is not None
                assert samples.difference(case.reference, canonical(case.data).data) < 3


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_transfer_functions(transfer: int) -> None:
    """Grey levels of every transfer function are seen within three of what Chromium shows."""
    chunk = containers.code_points(1, transfer)
    shown = seen(containers.raw_png(RAMP, depth=8, extra=chunk))[0, PLACES]
    assert np.abs(shown - np.array(TRANSFERS[transfer])[:, None]).max() <= 3


@pytest.mark.parametrize("primaries", PRIMARIES)
def test_primaries(primaries: int) -> None:
    """Colours of every set of primaries are seen within three levels of what Chromium shows."""
    colours = np.array([[[200, 100, 50], [50, 200, 100]]], np.uint8)
    extra = containers.code_points(primaries, 13)
    shown = seen(containers.raw_png(colours, depth=8, extra=extra))[0]
    assert np.abs(shown - PRIMARIES[primaries]).max() <= 3


@pytest.mark.parametrize("gamma", GAMMAS)
def test_gammas(gamma: float) -> None:
    """Grey levels of a PNG with a gamma are seen within two levels of what Chromium shows."""
    data = containers.raw_png(RAMP, depth=8, extra=containers.gamma(gamma))
    assert np.abs(seen(data)[0, PLACES, 0] - GAMMAS[gamma]).max() <= 2


@pytest.mark.parametrize(
    "chromaticities",
    [(0.0,) * 8, (0.3127, 0.3290, *(0.3, 0.6) * 3), (0.3127, 0.0, 0.6, 0.3, 0.3, 0.6, 0.1, 0.1)],
)
def test_primaries_that_span_nothing_are_no_fault(chromaticities: tuple[float, ...]) -> None:
    """Numbers that mean no colours leave a picture, whatever its colours, and never an error."""
    extra = containers.gamma(0.5) + containers.chromaticities(*chromaticities)
    assert canonical(containers.raw_png(RAMP, depth=8, extra=extra)).width == 256


def test_a_profile_is_made_as_the_format_wants_it() -> None:
    """What is made of code points names its own length and holds every tag of a display."""
    made = profiles.of_code_points(9, 8)
    assert made is not None
    assert int.from_bytes(made[:4], "big") == len(made)
    found = dict(profiles.tags(made))
    assert set(found) == {b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    total = [
        sum(struct.unpack(">2I3i", found[name])[2:][at] for name in (b"rXYZ", b"gXYZ", b"bXYZ"))
        for at in range(3)
    ]
    assert np.allclose(np.array(total) / 65_536, (0.9642, 1.0, 0.8249), atol=0.001)


@pytest.mark.parametrize("cut", [0, 100, 131, 140, 200])
def test_a_cut_profile_has_only_the_tags_that_are_there(cut: int) -> None:
    """Reading tags out of a damaged profile gives none that leaves it."""
    whole = containers.profile(2.2)
    assert all(len(content) <= cut for _, content in profiles.tags(whole[:cut]))


@pytest.mark.parametrize(
    ("exif", "expected"),
    [
        (containers.exif(6), 6),
        (b"Exif\0\0" + containers.exif(8, order="<"), 8),
        (containers.exif(6, kind=4), 1),
        (containers.exif(0), 1),
        (containers.exif(9), 1),
        (containers.exif(6)[:15], 1),
        (b"MM\0*\xff\xff\xff\xff", 1),
        (b"MM\0*\0\0\0\x08\xff\xff" + bytes(12) * 2_000, 1),
        (b"", 1),
    ],
)
def test_orientation(exif: bytes, expected: int) -> None:
    """An orientation counts if it is one SHORT of 1 to 8; all else is 1."""
    assert orientation.of_exif(exif) == expected


def test_a_multi_picture_of_too_many_pixels_is_unreadable() -> None:
    """Pictures behind the first one, which no header tells the size of, are counted together."""
    small, large = (samples.encoded(Image.new("L", (side, side)), "JPEG") for side in (8, 6_000))
    with pytest.raises(Unreadable, match="216000064 pixels in all"):
        canonical(containers.multi_picture(small, [large] * 6))
