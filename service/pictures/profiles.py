"""
Colour profiles for files that tell their colours by numbers: PNG's gAMA, cHRM and cICP, AVIF's
nclx.  Pure arithmetic; the tables agree with what Chromium 156 shows.

Sources: ITU-T H.273 (07/2024), tables 2 and 3; ICC.1:2022, 7 to 10; PNG third edition, 11.3.2.
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Final

Curve = Callable[[float], float]
Vector = tuple[float, float, float]
# The chromaticities x, y of red, green, blue and white, in this order.
Primaries = tuple[float, float, float, float, float, float, float, float]

MAX_TAGS: Final = 100  # the most that common profile readers follow
_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)
SRGB: Final[Primaries] = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
_SMPTE_C: Final[Primaries] = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)
_PRIMARIES: Final[Mapping[int, Primaries]] = {
    1: SRGB,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: _SMPTE_C,
    7: _SMPTE_C,
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
_D50: Final[Vector] = (0.9642, 1.0, 0.8249)
# The columns of the Bradford matrix: how the eye's cones answer to X, Y and Z.
_BRADFORD: Final = (
    (0.8951, -0.7502, 0.0389),
    (0.2664, 1.7135, -0.0685),
    (-0.1614, 0.0367, 1.0296),
)
# High dynamic range is rolled off to a screen's: candelas a square metre to linear light.
_ROLL_OFF: Final = (
    *((0.0, 0.0), (203.0, 0.5), (250.0, 0.580), (316.0, 0.665), (456.0, 0.784)),
    *((655.0, 0.888), (1_000.0, 1.0), (10_000.0, 1.0)),
)
_STEPS: Final = 256  # one for each level that a decoded sample can have


def power(exponent: float) -> Curve:
    """Give the curve of samples that are the ``1 / exponent``-th power of linear light."""
    return lambda value: math.pow(value, exponent)


def known(primaries: int, transfer: int) -> bool:
    """Tell whether H.273's numbers name colours that viewers know."""
    return primaries in _PRIMARIES and transfer in _TRANSFERS


def of_code_points(primaries: int, transfer: int) -> bytes | None:
    """Give the profile of known numbers of H.273; None if they name sRGB itself."""
    if (primaries, transfer) == (1, 13):
        return None
    return of(_PRIMARIES[primaries], _TRANSFERS[transfer])


def of(primaries: Primaries, curve: Curve) -> bytes | None:
    """Make an ICC profile of a display; None where the primaries span no colours."""
    try:
        columns = _adapted(primaries)
    except ZeroDivisionError:
        return None
    levels = [round(65_535 * min(1.0, curve(step / (_STEPS - 1)))) for step in range(_STEPS)]
    table = b"curv" + struct.pack(f">II{_STEPS}H", 0, _STEPS, *levels)
    contents = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, columns), strict=True))
    contents |= {b"wtpt": _xyz(_D50)} | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)
    return _file(contents)


def tags(profile: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give signature and content of each of a profile's tags that stands inside it."""
    count = int.from_bytes(profile[128:132], "big")
    for at in range(132, min(132 + 12 * min(count, MAX_TAGS), len(profile) - 11), 12):
        signature, start, length = struct.unpack_from(">4sII", profile, at)
        if start + length <= len(profile):
            yield signature, profile[start : start + length]


def _file(contents: Mapping[bytes, bytes]) -> bytes:
    begin = 132 + 12 * len(contents)
    directory, body = struct.pack(">I", len(contents)), b""
    for signature, content in contents.items():
        directory += struct.pack(">4sII", signature, begin + len(body), len(content))
        body += content
    fixed = (begin + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", *_fixed(_D50))
    return struct.pack(">I4xI4s4s4s12x4s28x3i48x", *fixed) + directory + body


def _xyz(vector: Vector) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *_fixed(vector))


def _fixed(vector: Vector) -> list[int]:
    # Visible colours stay within one; the format's own range must not be left.
    return [round(max(-9.0, min(9.0, value)) * 65_536) for value in vector]


def _adapted(primaries: Primaries) -> list[Vector]:
    """Give X, Y, Z of red, green and blue, adapted from the file's white to a profile's (D50)."""
    red, green, blue, white = (
        (x, y, 1 - x - y) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    seen, wanted = _mixed(_BRADFORD, white), _mixed(_BRADFORD, _D50)
    adapted = []
    for colour, share in zip((red, green, blue), _solved((red, green, blue), white), strict=True):
        one, two, three = _mixed(_BRADFORD, colour)
        cones = (
            share * one * wanted[0] / seen[0],
            share * two * wanted[1] / seen[1],
            share * three * wanted[2] / seen[2],
        )
        adapted.append(_solved(_BRADFORD, cones))
    return adapted


def _mixed(columns: tuple[Vector, Vector, Vector], shares: Vector) -> Vector:
    (a, b, c), (x, y, z) = columns, shares
    return (
        a[0] * x + b[0] * y + c[0] * z,
        a[1] * x + b[1] * y + c[1] * z,
        a[2] * x + b[2] * y + c[2] * z,
    )


def _solved(columns: tuple[Vector, Vector, Vector], mixture: Vector) -> Vector:
    """Say how much of each column makes the mixture (Cramer's rule)."""
    a, b, c = columns
    whole = _determinant(a, b, c)
    return (
        _determinant(mixture, b, c) / whole,
        _determinant(a, mixture, c) / whole,
        _determinant(a, b, mixture) / whole,
    )


def _determinant(a: Vector, b: Vector, c: Vector) -> float:
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - b[0] * (a[1] * c[2] - a[2] * c[1])
        + c[0] * (a[1] * b[2] - a[2] * b[1])
    )


def srgb(value: float) -> float:
    """Give linear light of a sample of sRGB (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


def _smpte_240(value: float) -> float:
    return value / 4 if value < 0.0913 else math.pow((value + 0.1115) / 1.1115, 1 / 0.45)


def _dci(value: float) -> float:
    return math.pow(value, 2.6) * 52.37 / 48


def _perceptual_quantizer(value: float) -> float:
    root = value ** (32 / 2_523)
    nits = 10_000 * (max(root - 107 / 128, 0) / (2_413 / 128 - 2_392 / 128 * root)) ** (
        8_192 / 1_305
    )
    return _rolled_off(nits)


def _hybrid_log_gamma(value: float) -> float:
    scene = (
        value * value / 3
        if value <= 0.5
        else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    return _rolled_off(1_000 * scene**1.2)


def _rolled_off(nits: float) -> float:
    for (dark, low), (bright, high) in pairwise(_ROLL_OFF):
        if nits <= bright:
            return low + (high - low) * (nits - dark) / (bright - dark)
    return 1.0


# Chromium shows video's transfer functions (1, 6, 11, 14, 15) as a display's pure power.
_TRANSFERS: Final[Mapping[int, Curve]] = {
    **dict.fromkeys((1, 6, 11, 14, 15), power(2.4)),
    4: power(2.2),
    5: power(2.8),
    7: _smpte_240,
    8: power(1.0),
    13: srgb,
    16: _perceptual_quantizer,
    17: _dci,
    18: _hybrid_log_gamma,
}
