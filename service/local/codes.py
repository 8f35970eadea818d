"""Finds QR codes and barcodes: those zxing can decode, and those OpenCV can only locate."""

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from service.local import Box, Sighting

_DECODED = 0.99
_LOCATED = 0.6
# OpenCV's detectors fail on pictures that are smaller than the smallest code.
_MIN_SIDE = 21


def find(pixels: NDArray[np.uint8]) -> list[Sighting]:
    """
    Find every code in a picture of shape (height, width, RGB).

    zxing gives a turned linear code only the strip it read; the hull with OpenCV's box is whole.
    """
    if min(pixels.shape[:2]) < _MIN_SIDE:
        return []
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    found = [
        Sighting(
            _kind(code.format.name), _corners(code.position), _DECODED, _note(str(code.format))
        )
        for code in zxingcpp.read_barcodes(bgr)
    ]
    located = [
        *(("qr_code", box) for box in _boxes(cv2.QRCodeDetector().detectMulti(bgr))),
        *(("barcode", box) for box in _boxes(cv2.barcode.BarcodeDetector().detectMulti(bgr))),
    ]
    for kind, box in located:
        found = _added(found, kind, box)
    return found


def texts(pixels: NDArray[np.uint8]) -> list[str]:
    """
    Return what the codes in a picture of shape (height, width, RGB) say, character for character.

    zxing reads PDF417 up to about 5 degrees aslant, and the square codes at any angle.
    """
    # The default mode writes control characters as names, which would stand between letters.
    found = zxingcpp.read_barcodes(np.ascontiguousarray(pixels), text_mode=zxingcpp.TextMode.Plain)
    return [code.text for code in found]


def _kind(name: str) -> str:
    return "qr_code" if "QR" in name else "barcode"


def _note(name: str) -> str:
    return name if name.endswith("Code") else f"{name} code"


def _added(found: list[Sighting], kind: str, box: Box) -> list[Sighting]:
    """Widen the decoded code that the located box overlaps, else add a code of its own."""
    for place, one in enumerate(found):
        if one.box.shared(box):
            wider = Sighting(one.kind, Box.hull([one.box, box]), one.confidence, one.note)
            return [*found[:place], wider, *found[place + 1 :]]
    name = "QR code" if kind == "qr_code" else "barcode"
    return [*found, Sighting(kind, box, _LOCATED, f"{name} that could not be decoded")]


def _corners(position: Any) -> Box:
    points = (
        position.top_left,
        position.top_right,
        position.bottom_right,
        position.bottom_left,
    )
    return _hull((point.x, point.y) for point in points)


def _boxes(answer: tuple[bool, Any]) -> list[Box]:
    seen, polygons = answer
    return [_hull(polygon) for polygon in polygons] if seen and polygons is not None else []


def _hull(points: Iterable[Any]) -> Box:
    across, down = zip(*((float(x), float(y)) for x, y in points), strict=True)
    return Box(int(min(across)), int(min(down)), int(max(across)) + 1, int(max(down)) + 1)
