"""Reads all text in a picture that addresses the model or the reviewer, also where it is hidden."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from service.local import codes, personal_data, persuasion, text

_MAX_LINES = 20
# The schema of a description allows no more in one entry.
_MAX_CHARACTERS = 2000
# The recogniser shrinks what is larger itself.
_MAX_SIDE = 2000
_NEIGHBOURHOODS = 20
# Levels of 255: the deviation that evened text gets, and the least that is not taken for noise.
_CONTRAST = 60
_NOISE = 1


def read(pixels: NDArray[np.uint8], lines: Sequence[text.Line], reader: text.Reader) -> list[str]:
    """
    Return the lines that address the model, without the personal data in them; at most 20.

    Args:
        pixels: The picture, of shape (height, width, RGB).
        lines: What ``reader`` has read in it.

    Codes are decoded.  Only where neither they nor the lines hold any such text, a second look is
    taken for what is faint, turned or mirrored.

    Raises:
        DetectorFailed: Text was located and could not be read.
    """
    payloads = [payload.splitlines() for payload in codes.texts(pixels)]
    found = [line for rows in (text.paragraphs(lines), *payloads) for line in _addressing(rows)]
    if not found:
        # Turned lines may be listed from the last to the first.
        ways = reader.ways(_evened(pixels))
        found = [line for way in ways for rows in (way, way[::-1]) for line in _addressing(rows)]
    shown = dict.fromkeys(personal_data.mask(_printable(line))[:_MAX_CHARACTERS] for line in found)
    return list(shown)[:_MAX_LINES]


def _addressing(rows: Sequence[str]) -> Iterator[str]:
    return (rows[at] for at in persuasion.find(rows))


def _printable(line: str) -> str:
    """Blank out control characters, which codes can hold and a database refuses."""
    return " ".join("".join(one if one.isprintable() else " " for one in line).split())


def _evened(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give each channel one brightness and contrast everywhere, which brings out faint text."""
    scale = min(1.0, _MAX_SIDE / max(pixels.shape))
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    shrunk = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    levels = shrunk.astype(np.float32)
    side = max(shrunk.shape) // _NEIGHBOURHOODS | 1
    levels -= cv2.blur(levels, (side, side))
    deviation = np.sqrt(np.maximum(cv2.blur(levels * levels, (side, side)), _NOISE))
    return np.clip(128 + levels / deviation * _CONTRAST, 0, 255).astype(np.uint8)
