"""Structure of one octave: what it is, and where one picture still shows another one's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.proof import Plane
from service.proof.sampling import box_mean

COARSEST = 8  # samples of the octave's longest wave
WINDOW = 9
VISIBLE = 4.0  # variance, in grey levels squared, from which structure can be seen
_NOISE = 0.4  # variance that rounding leaves in one octave, and what is fainter than it
_OPPONENT = np.array([[0.5, 0.0, -0.5], [0.25, -0.5, 0.25]], np.float32)


@dataclass(frozen=True, slots=True)
class Shown:
    """Maps of one octave: where the original has structure, and where the other one shows it."""

    there: NDArray[np.bool_]
    left: NDArray[np.bool_]


def octave(values: Plane) -> Plane:
    """
    Keep wavelengths of about 4 to 8 samples (half amplitude at 4 and 9) of the last two axes.

    The high-pass is applied twice: a heavy blur leaves long waves of great amplitude, and none of
    them may leak in here.
    """
    waves = box_mean(values, 3)
    for _ in range(2):
        waves = waves - box_mean(waves, 7)
    return waves


def principal(colours: Plane) -> Plane:
    """Project colours (3 x h x w) on the direction in which neighbours differ most."""
    steps = [np.diff(colours, axis=axis).reshape(3, -1) for axis in (1, 2)]
    # NumPy takes step @ step.T to a routine that is slow for few rows.
    products = [[[one @ other for other in step] for one in step] for step in steps]
    _, directions = np.linalg.eigh(np.sum(products, axis=0))
    main: Plane = _mixed(colours, directions[None, :, -1].astype(np.float32))[0]
    return main


def opponent(colours: Plane) -> Plane:
    """Turn red, green, blue (3 x h x w) into red-blue and green-magenta (2 x h x w)."""
    return _mixed(colours, _OPPONENT)


def _mixed(colours: Plane, weights: Plane) -> Plane:
    mixed: Plane = (weights @ colours.reshape(3, -1)).reshape(-1, *colours.shape[1:])
    return mixed


def shown(original: Plane, edited: Plane, *, ratio: float) -> Shown:
    """
    Compare one octave of both pictures around every pixel.

    In a window of 9 x 9 samples the edited picture is taken as gain x original + rest, by least
    squares, for each plane.  The structure is left where the explained variance is at least
    ``ratio`` times that of rest and noise together.  The gain may be small or negative: fading,
    inverting and recolouring hide nothing.

    Args:
        original: h x w.
        edited: planes x h x w.
        ratio: The signal-to-noise ratio that is asked for.

    Source: the signal model of Sheikh and Bovik, "Image information and visual quality", IEEE
    Transactions on Image Processing 15 (2), 2006, equations 10 to 13.
    """
    # No more can be explained than there is at all.
    if float(np.abs(edited).max()) ** 2 <= ratio * _NOISE:
        there = box_mean(original**2, WINDOW) > VISIBLE
        return Shown(there, np.zeros_like(there))
    products = np.concatenate([(original**2)[None], original * edited, edited**2])
    means = box_mean(products, WINDOW)
    energy, (cross, other) = means[0], np.split(means[1:], 2)
    return Shown(energy > VISIBLE, np.any(left(energy, cross, other, ratio=ratio), axis=0))


def left(energy: Plane, cross: Plane, other: Plane, *, ratio: float) -> NDArray[np.bool_]:
    """
    Tell where structure is left, as ``shown`` does, from means of products around each sample.

    Args:
        energy, cross, other: Of the original with itself, with the edited one, and of that with
            itself.
        ratio: As of ``shown``.
    """
    explained = cross**2 / (energy + 1e-3)
    return explained > ratio * (other - explained + _NOISE)
