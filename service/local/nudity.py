"""Finds exposed body parts with NudeNet's 320n model, if the `nudity` extra is installed."""

import importlib.util
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from service.local import Box, Sighting

# Above this size the model sees body parts in suits and coffee cups.
_SIDE = 640
_STRIDE = 32
_MIN_SCORE = 0.5
_MAX_OVERLAP = 0.45
# Row 4 + n of the model's answer scores class n.
# Source: nudenet/nudenet.py of NudeNet 3.4.2, list __labels.
_EXPOSED = {
    2: "buttocks",
    3: "female breast",
    4: "female genitalia",
    6: "anus",
    14: "male genitalia",
}


def model_path() -> Path | None:
    """Return where the installed package keeps the model; None without the package."""
    spec = importlib.util.find_spec("nudenet")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "320n.onnx"
        if path.is_file():
            return path
    return None


class NudityFinder:
    """The model, loaded once, on one thread."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    @classmethod
    def installed(cls) -> Self | None:
        """Load the model if its package is installed."""
        path = model_path()
        return cls(path) if path else None

    def find(self, pixels: NDArray[np.uint8]) -> list[Sighting]:
        """Find exposed parts in a picture of shape (height, width, RGB)."""
        height, width = pixels.shape[:2]
        scale = _SIDE / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        # The model takes any multiple of its stride; padding to a square would only cost time.
        padded = np.zeros((_stepped(size[1]), _stepped(size[0]), 3), np.float32)
        padded[: size[1], : size[0]] = cv2.resize(pixels, size).astype(np.float32) / 255
        answer: Any = self._session.run(None, {"images": padded.transpose(2, 0, 1)[None]})
        return sightings(np.asarray(answer[0][0]), scale, (width, height))


def sightings(answer: NDArray[np.float32], scale: float, within: tuple[int, int]) -> list[Sighting]:
    """
    Read one answer of the model, best score first, one sighting per place and part.

    Args:
        answer: Shape (4 + classes, boxes); rows 0 to 3 are centre x, centre y, width and height
            in pixels of the scaled picture.
        scale: Scaled pixels per pixel of the picture.
        within: Width and height of the picture, pixels.
    """
    scores = answer[4:].max(axis=0)
    parts = answer[4:].argmax(axis=0)
    found: list[tuple[int, Sighting]] = []
    for at in scores.argsort()[::-1]:
        part = int(parts[at])
        if scores[at] < _MIN_SCORE:
            break
        if part not in _EXPOSED:
            continue
        x, y, w, h = (float(value) / scale for value in answer[:4, at])
        box = Box(int(x - w / 2), int(y - h / 2), int(x + w / 2) + 1, int(y + h / 2) + 1)
        box = box.grown(0, 0, within)
        if box.area and not any(part == other and _same(box, one.box) for other, one in found):
            note = f"exposed {_EXPOSED[part]}"
            found.append((part, Sighting("nudity", box, round(float(scores[at]), 2), note)))
    return [one for _, one in found]


def _stepped(length: int) -> int:
    return -(-length // _STRIDE) * _STRIDE


def _same(one: Box, other: Box) -> bool:
    shared = one.shared(other)
    return shared > _MAX_OVERLAP * (one.area + other.area - shared)
