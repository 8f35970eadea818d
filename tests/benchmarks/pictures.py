"""
Distinct uploads of one photo, and one answer that is a proper edit of all of them.

Each picture has a light of its own, a slope of a few levels over the photo, so that the service
stores every one anew; the edit covers the same places of each, so one ready answer fits them all.
"""

import json
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from tests import draw, proving, upstream

# Disjoint places in thousandths: ymin, xmin, ymax, xmax.
BOXES: Final = (
    proving.FACE,
    *((top, left, top + 90, left + 120) for top in (450, 600, 750) for left in (80, 400, 700)),
)
RULESET: Final = "marketplace"
EDITING: Final = ("contact-details-in-listing", "off-platform-links")
JUDGING: Final = ("weapons-and-explosives", "drugs-and-medicines", "wildlife", "counterfeits")
_WHY: Final = "It is plain to see, and nothing in the picture speaks for one of the exceptions. "
_LEVELS: Final = 2.0
_GRAIN: Final = 6.0
_QUALITY: Final = 90
_SEGMENT_BYTES: Final = 65_000


class Photos:
    """JPEG files of so many pixels, as many distinct ones as wanted, and the edit of them."""

    def __init__(self, width: int, height: int) -> None:
        photo = proving.photo("astronaut.png").resize((width, height), Image.Resampling.BICUBIC)
        # Enlarged photos are smooth; a camera's are not, and their files are larger.
        grain = np.random.default_rng(0).normal(0, _GRAIN, (height, width, 1))
        self._pixels = np.clip(np.asarray(photo, np.float32) + grain.astype(np.float32), 0, 255)
        self._down = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
        self._across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]

    def received(self, number: int) -> bytes:
        """Draw the picture of this number."""
        slopes = np.random.default_rng(number).uniform(-_LEVELS, _LEVELS, (3, 3))
        light = slopes[0] + slopes[1] * self._down + slopes[2] * self._across
        lit = np.clip(self._pixels + light.astype(np.float32), 0, 255).round().astype(np.uint8)
        return draw.encoded(Image.fromarray(lit), "JPEG", quality=_QUALITY)

    def edited(self, places: int, size: int = 0) -> bytes:
        """Cover the first so many places; comments fill the file up to ``size`` bytes."""
        image = Image.fromarray(self._pixels.round().astype(np.uint8))
        pen = ImageDraw.Draw(image)
        for box in BOXES[:places]:
            left, top, right, bottom = proving.corners(draw.encoded(image), box)
            pen.rectangle((left, top, right - 1, bottom - 1), "#404040")
        return _padded(draw.encoded(image, "JPEG", quality=_QUALITY), size)


def findings(places: int) -> list[dict[str, Any]]:
    """Find something in each place; only the first so many are of rules that edit."""
    named = [EDITING[at % len(EDITING)] for at in range(places)]
    named += [JUDGING[at % len(JUDGING)] for at in range(len(BOXES) - places)]
    return [
        upstream.finding(rule, box_2d=list(box), rationale=_WHY * 2)
        for rule, box in zip(named, BOXES, strict=True)
    ]


def description(places: int) -> str:
    """Write what a model says of these findings, 3 kB."""
    return json.dumps(upstream.description(findings=findings(places)))


def _padded(jpeg: bytes, size: int) -> bytes:
    """Put comments behind the start of the file, which every decoder passes over."""
    comments = b""
    while (missing := size - len(jpeg) - len(comments)) > 4:
        # ITU-T T.81, B.2.4.5: a comment is FF FE, the length with these two bytes, and anything.
        text = bytes(min(missing - 4, _SEGMENT_BYTES))
        comments += b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text
    return jpeg[:2] + comments + jpeg[2:]
