"""PDQ, the perceptual hash of Meta, bit for bit as its reference computes it."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from service.proof import Plane

_SIDE = 64
_BITS = 16
_LEAST_SIDE = 5


@dataclass(frozen=True, slots=True)
class Hash:
    """256 bits and a quality of 0 to 100; below about 50 a picture has too little to hash."""

    bits: int
    quality: int

    def distance(self, other: "Hash") -> int:
        """Count the bits that differ: up to 31 is a match by Meta's advice, 128 is chance."""
        return (self.bits ^ other.bits).bit_count()


def pdq(luma: Plane) -> Hash:
    """
    Hash the luma (0.299 R + 0.587 G + 0.114 B) of a picture, height x width, 0 to 255.

    A side below 5 px gives no bits and quality 0, as the reference does.

    Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook,
    2019, and its reference implementation (ThreatExchange, pdq/cpp): two passes of a Jarosz
    box filter, 64 x 64 samples, a 16 x 16 DCT, and its median as the threshold.
    """
    height, width = luma.shape
    if min(height, width) < _LEAST_SIDE:
        return Hash(0, 0)
    for _ in range(2):
        luma = _filtered(luma, (width + 127) // 128, 1)
        luma = _filtered(luma, (height + 127) // 128, 0)
    centres = np.arange(_SIDE) + 0.5
    small = luma[(centres * height / _SIDE).astype(int)][:, (centres * width / _SIDE).astype(int)]
    waves = _DCT @ small @ _DCT.T
    above = waves > np.partition(waves.ravel(), 127)[127]
    return Hash(int.from_bytes(np.packbits(above).tobytes(), "big"), _quality(small))


def _filtered(luma: Plane, window: int, axis: int) -> Plane:
    """Slide a mean with the reference's uneven halves and shorter ends."""
    if window == 1:
        return luma
    lines = np.moveaxis(luma, axis, -1)
    count, half = lines.shape[-1], (window + 2) // 2
    sums = np.concatenate(
        [np.zeros((lines.shape[0], 1)), np.cumsum(lines, -1, dtype=np.float64)], -1
    )
    at = np.arange(count)
    low, high = np.clip(at - (window - half), 0, count), np.clip(at + half, 0, count)
    means = ((sums[:, high] - sums[:, low]) / (high - low)).astype(np.float32)
    return cast("Plane", np.moveaxis(means, -1, axis))


def _quality(small: Plane) -> int:
    steps = sum(
        int(np.abs((np.diff(small, axis=axis) * 100 / 255).astype(np.int64)).sum())
        for axis in (0, 1)
    )
    return min(100, steps // 90)


def _dct() -> Plane:
    rows, columns = np.arange(1, _BITS + 1)[:, None], np.arange(_SIDE)[None, :]
    waves = np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * rows * (2 * columns + 1))
    return np.asarray(waves, np.float32)


_DCT = _dct()
