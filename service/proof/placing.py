"""Lays one picture over another: a scale and a shift a side, refined until the details meet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.proof import Plane, Rect
from service.proof.sampling import SAME, Mapping, Steps, View, box_mean, interpolated

MAX_STRETCH = 1.2
MAX_SHIFT = 0.12
SIDE = 256  # samples of the longer side at the finest level
_MAX_STEPS = 10
_STILL = 0.05  # samples, below which a step is not worth another
_PULLS = (3e-4, 3e-5, 1e-5)  # one a level: the finest ones can tell scale from shift
_AROUND = 2  # samples around a region that are not compared, for edits that fade out


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Where the original lies in the edited picture.

    Both mappings are in shares of the sides and around the centres: edited = scale x original +
    shift.
    """

    rows: Mapping = SAME
    columns: Mapping = SAME

    @property
    def allowed(self) -> bool:
        """Tell whether it keeps within ``MAX_STRETCH`` and ``MAX_SHIFT``."""
        return all(
            1 / MAX_STRETCH <= one.scale <= MAX_STRETCH and abs(one.shift) <= MAX_SHIFT
            for one in (self.rows, self.columns)
        )

    @property
    def moves(self) -> float:
        """Return how far the farthest corner moves, in samples of the finest level."""
        return max(
            (abs(one.scale - 1) / 2 + abs(one.shift)) * SIDE for one in (self.rows, self.columns)
        )

    def view(self, original: View, edited: View) -> View:
        """See the edited picture through the original's coordinates."""
        height, width, _ = original.pixels.shape
        tall, wide, _ = edited.pixels.shape
        return edited.moved(
            _in_pixels(self.rows, height, tall), _in_pixels(self.columns, width, wide)
        )


STRAIGHT = Placement()


def _in_pixels(mapping: Mapping, side: int, other: int) -> Mapping:
    scale = mapping.scale * other / side
    return Mapping(float(scale), float((mapping.shift + 0.5) * other - scale * side / 2))


@dataclass(frozen=True, slots=True)
class Scene:
    """
    One level of both pictures.

    Args:
        original, edited: Luma.
        compared: What share of each sample may be compared.
        target: The original's ``detail``, which every step and every score asks for.
    """

    original: Plane
    edited: Plane
    compared: Plane
    target: Plane

    @classmethod
    def of(cls, original: Plane, edited: Plane, compared: Plane) -> Self:
        """Make a level from lumas."""
        return cls(original, edited, compared, detail(original))

    def unmasked(self) -> "Scene":
        """Compare everything."""
        return replace(self, compared=np.ones_like(self.compared))

    def laid(self, place: Placement) -> tuple[Plane, Plane]:
        """
        Bring the edited luma on the original's grid.

        Returns:
            The luma, which is the original's where nothing is compared: regions and bars have
            edges that filters would smear.  And the share of each sample that is compared.
        """
        height, width = self.original.shape
        tall, wide = self.edited.shape
        if place == STRAIGHT and (tall, wide) == (height, width):
            return _mixed(self.edited, self.original, self.compared), self.compared
        ys, xs = _centres(place.rows, height, tall), _centres(place.columns, width, wide)
        moved = interpolated(interpolated(self.edited, ys, -2), xs, -1)
        compared = self.compared * np.outer(_within(ys, tall), _within(xs, wide))
        return _mixed(moved, self.original, compared), compared


def _mixed(moved: Plane, original: Plane, compared: Plane) -> Plane:
    return moved * compared + original * (1 - compared)


def _centres(mapping: Mapping, count: int, side: int) -> Steps:
    return (mapping((np.arange(count) + 0.5) / count - 0.5) + 0.5) * side - 0.5


def _within(at: Steps, side: int) -> NDArray[np.bool_]:
    """Tell which places exist; within a sample of the edge they repeat it."""
    return (at > -1) & (at < side)


def finest(original: View, edited: View, masked: Iterable[Rect]) -> Scene:
    """Make the level of most samples, in which nothing of the masked rectangles is compared."""
    whole = Rect.whole(original.pixels)
    first, second = thumbnail(original, SIDE), thumbnail(edited, SIDE)
    compared = np.zeros(first.shape, np.float32)
    compared[1:-1, 1:-1] = 1  # the outermost samples of a letterboxed picture mix with its bars
    for rect in masked:
        top, left, bottom, right = rect.cells(whole, first.shape)
        compared[
            max(0, top - _AROUND) : bottom + _AROUND, max(0, left - _AROUND) : right + _AROUND
        ] = 0
    return Scene.of(first, second, compared)


def levels_to(scene: Scene) -> list[Scene]:
    """Make all levels, the coarsest first, each half as large as the next; the last is given."""
    levels = [scene]
    for _ in range(len(_PULLS) - 1):
        fine = levels[0]
        levels.insert(
            0, Scene.of(_halved(fine.original), _halved(fine.edited), _halved(fine.compared))
        )
    return levels


def thumbnail(view: View, side: int) -> Plane:
    """Return the whole picture's luma, with a longer side of at most ``side``."""
    whole = Rect.whole(view.pixels)
    scale = min(1.0, side / whole.long)
    shape = max(16, round(whole.height * scale)), max(16, round(whole.width * scale))
    return view.brightness(shape)


def _halved(values: Plane) -> Plane:
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    quads = values[:height, :width].reshape(height // 2, 2, width // 2, 2)
    means: Plane = quads.mean(axis=(1, 3))
    return means


def detail(values: Plane) -> Plane:
    """Take away the brightness around: what a picture's tones were turned to tells little."""
    return values - box_mean(values, 17)


def refined(levels: Sequence[Scene], start: Placement) -> Placement:
    """Move a placement, level by level, to where the details meet best."""
    place = start
    for scene, pull in zip(levels, _PULLS, strict=True):
        for _ in range(_MAX_STEPS):
            place, step = _stepped(scene, place, start, pull)
            if step < _STILL:
                break
    return place


def stays(scene: Scene, place: Placement) -> bool:
    """Tell whether at the finest level a placement would not be moved."""
    _, step = _stepped(scene, place, place, _PULLS[-1])
    return step < _STILL


def _stepped(
    scene: Scene, place: Placement, start: Placement, pull: float
) -> tuple[Placement, float]:
    """
    Move by one Gauss-Newton step; also gives its length in samples.

    Four numbers (scale and shift of rows and columns) minimise the weighted difference of both
    pictures' detail.  Places that fit badly weigh little, so that what the edit changed outside
    the regions does not pull.

    Source: Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 56 (3), 2004, section 2.
    """
    moved, weight = scene.laid(place)
    target, current = scene.target, detail(moved)
    total = float(weight.sum()) + 1.0
    gain = float((weight * target * current).sum() / ((weight * current**2).sum() + 1e-3))
    current = current * np.float32(np.clip(gain, 0.3, 3.0))
    rest = target - current
    spread = float(np.sqrt((weight * rest**2).sum() / total)) + 1.0
    slopes = _slopes(current)
    weighted = slopes * (weight / (1 + (rest / spread) ** 2)).ravel()
    normal = (weighted @ slopes.T).astype(np.float64)
    # What the picture does not tell, a shift along its only edge, stays as it was at the start.
    pull = pull * float(np.trace(normal)) + 1e-3
    normal[np.diag_indices(4)] += pull
    wanted = weighted @ rest.ravel() + pull * (_numbers(start) - _numbers(place))
    tall, down, wide, right = np.clip(np.linalg.solve(normal, wanted), -0.03, 0.03)
    rows, columns = _composed(place.rows, tall, down), _composed(place.columns, wide, right)
    longest = max(abs(tall), abs(down), abs(wide), abs(right))
    return Placement(rows, columns), float(longest) * max(target.shape)


def _slopes(values: Plane) -> Plane:
    """Return how each sample changes with each of the four numbers (4 x samples)."""
    height, width = values.shape
    down, right = np.gradient(values)
    down, right = down * np.float32(height), right * np.float32(width)
    ys = ((np.arange(height) + 0.5) / height - 0.5).astype(np.float32)[:, None]
    xs = ((np.arange(width) + 0.5) / width - 0.5).astype(np.float32)
    slopes: Plane = np.stack([down * ys, down, right * xs, right]).reshape(4, -1)
    return slopes


def _numbers(place: Placement) -> NDArray[np.float64]:
    both = (place.rows, place.columns)
    return np.array([number for one in both for number in (one.scale, one.shift)])


def _composed(mapping: Mapping, scale: float, shift: float) -> Mapping:
    """Apply a small move in the original's coordinates before the mapping."""
    return Mapping(mapping.scale * (1 + scale), mapping.shift + mapping.scale * shift)
