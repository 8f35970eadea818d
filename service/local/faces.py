"""Finds faces with OpenCV's Haar cascades: a coarse pass proposes, a fine one confirms."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import cv2.data
import numpy as np
from numpy.typing import NDArray

from service.local import Box, Sighting

Gray = NDArray[np.uint8]

# Pictures are scaled to these sides, never to more than twice their size.
_FRONTAL_SIDE = 960
_PROFILE_SIDE = 640
_MAX_SCALE = 2.0
_SMALLEST_FACE = 24
# Fewer pixels than this across, enlarged, are gravel as often as a face.
_SMALLEST_UNSCALED = 20
_MIN_SIDE = 20
_CROP_SIDE = 160
_CROP_MARGIN = 0.25
_CROP_SMALLEST_FACE = 60
# Neighbour counts on 100 real face crops and 28 pictures without a frontal face: real faces had
# 26 and more by both frontal cascades together, everything else at most 15.
_FRONTAL_CONFIRMED = 20
# The one profile at hand had 13; everything else had at most 6.
_PROFILE_CONFIRMED = 9
_PROFILE_NEIGHBOURS = 5


class FaceFinder:
    """The cascades for faces seen from the front and from either side, loaded once."""

    def __init__(self) -> None:
        folder = Path(cv2.data.haarcascades)
        self._frontal = _cascade(folder / "haarcascade_frontalface_alt2.xml")
        self._second = _cascade(folder / "haarcascade_frontalface_alt.xml")
        self._profile = _cascade(folder / "haarcascade_profileface.xml")

    def find(self, pixels: NDArray[np.uint8]) -> list[Sighting]:
        """Find faces in a picture of shape (height, width, RGB); overlapping boxes are one."""
        if min(pixels.shape[:2]) < _MIN_SIDE:
            return []
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        found: list[Sighting] = []
        for box, confidence in (*self._fronts(gray), *self._profiles(gray)):
            if not any(_same(box, other.box) for other in found):
                note = f"face of {box.width} x {box.height} px"
                found.append(Sighting("face", box, confidence, note))
        return found

    def _fronts(self, gray: Gray) -> Iterator[tuple[Box, float]]:
        """Yield frontal faces that two cascades agree on, the surest first."""
        small, scale = _scaled(gray, _FRONTAL_SIDE)
        confirmed = []
        for box, _ in _detect(self._frontal, small, neighbours=2):
            place = _divided(box, scale)
            if place.width < _SMALLEST_UNSCALED:
                continue
            crop = _crop(gray, place)
            votes = _votes(self._frontal, crop) + _votes(self._second, crop)
            if votes >= _FRONTAL_CONFIRMED:
                confirmed.append((votes, place))
        for votes, box in sorted(confirmed, key=lambda pair: -pair[0]):
            yield box, round(min(0.99, 0.6 + votes / 300), 2)

    def _profiles(self, gray: Gray) -> Iterator[tuple[Box, float]]:
        """Yield faces in profile; the cascade knows one side, a mirrored picture the other."""
        small, scale = _scaled(gray, _PROFILE_SIDE)
        for mirrored in (False, True):
            view = np.ascontiguousarray(small[:, ::-1]) if mirrored else small
            for box, _ in _detect(self._profile, view, neighbours=_PROFILE_NEIGHBOURS):
                at = box
                if mirrored:
                    width = small.shape[1]
                    at = Box(width - box.right, box.top, width - box.left, box.bottom)
                crop = _crop(gray, _divided(at, scale))
                if mirrored:
                    crop = np.ascontiguousarray(crop[:, ::-1])
                if _votes(self._profile, crop) >= _PROFILE_CONFIRMED:
                    yield _divided(at, scale), 0.6


def _cascade(path: Path) -> cv2.CascadeClassifier:
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise FileNotFoundError(path)
    return cascade


def _scaled(gray: Gray, side: int) -> tuple[Gray, float]:
    """Scale to a longer side of at most ``side`` px, even out the light; give the factor."""
    height, width = gray.shape
    scale = min(_MAX_SCALE, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.equalizeHist(cv2.resize(gray, size, interpolation=how)), np.uint8), scale


def _detect(
    cascade: cv2.CascadeClassifier, gray: Gray, *, neighbours: int
) -> Iterator[tuple[Box, int]]:
    smallest = (_SMALLEST_FACE, _SMALLEST_FACE)
    boxes, counts = cascade.detectMultiScale2(
        gray, scaleFactor=1.1, minNeighbors=neighbours, minSize=smallest
    )
    for (left, top, width, height), count in zip(boxes, counts, strict=True):
        yield Box(int(left), int(top), int(left + width), int(top + height)), int(count)


def _votes(cascade: cv2.CascadeClassifier, crop: Gray) -> int:
    """Count the overlapping hits of the best face in a crop, searched at many fine scales."""
    smallest = (_CROP_SMALLEST_FACE, _CROP_SMALLEST_FACE)
    _, counts = cascade.detectMultiScale2(crop, scaleFactor=1.05, minNeighbors=1, minSize=smallest)
    return max((int(count) for count in counts), default=0)


def _crop(gray: Gray, box: Box) -> Gray:
    height, width = gray.shape
    dx, dy = round(_CROP_MARGIN * box.width), round(_CROP_MARGIN * box.height)
    area = box.grown(dx, dy, (width, height))
    part = gray[area.top : area.bottom, area.left : area.right]
    return np.asarray(cv2.equalizeHist(cv2.resize(part, (_CROP_SIDE, _CROP_SIDE))), np.uint8)


def _divided(box: Box, scale: float) -> Box:
    return Box(
        int(box.left / scale),
        int(box.top / scale),
        int(box.right / scale + 0.999),
        int(box.bottom / scale + 0.999),
    )


def _same(one: Box, other: Box) -> bool:
    return one.shared(other) > 0.4 * min(one.area, other.area)
