"""Uploads whose edits are proven: the pictures, how they are painted on and compared."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service import publishing
from service.policy.rulesets import Edit, Verdict
from service.store import Conn, Pool
from tests import draw
from tests.conftest import Caller
from tests.policy.documents import make_ruleset

Pixels = NDArray[np.int16]
Box = Sequence[int]
Mask = NDArray[np.bool_]

_SKIMAGE: Final = Path(skimage.__file__).parent / "data"
FACE: Final = (60, 330, 380, 560)
PHONE: Final = (330, 80, 640, 1000)
RULE: Final = "faces"


def photo(name: str) -> Image.Image:
    """One of scikit-image's photos, in RGB."""
    with Image.open(_SKIMAGE / name) as opened:
        return opened.convert("RGB")


ASTRONAUT: Final = draw.encoded(photo("astronaut.png"))
CAT: Final = draw.encoded(photo("chelsea.png"))
CARD: Final = draw.encoded(
    draw.card([("Jane Example", 60), ("+44 20 7946 0958", 60), ("Photographer", 50)], (640, 400))
)


def corners(data: bytes, box: Box) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box in pixels, rounded outwards; the ends are exclusive."""
    width, height = Image.open(io.BytesIO(data)).size
    top, left, bottom, right = box
    across = left * width // 1000, -(-right * width // 1000)
    down = top * height // 1000, -(-bottom * height // 1000)
    return across[0], down[0], across[1], down[1]


def painted(data: bytes, box: Box, colour: draw.Colour) -> bytes:
    """Paint a box over; the same picture as a PNG."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    left, top, right, bottom = corners(data, box)
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), colour)
    return draw.encoded(image)


def pixels(data: bytes) -> Pixels:
    """Height x width x 3, to subtract without overflow."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int16)


def within(data: bytes, box: Box, grown: int = 0) -> Mask:
    """Tell which pixels are in a box, or in one so many pixels larger on each side."""
    left, top, right, bottom = corners(data, box)
    width, height = Image.open(io.BytesIO(data)).size
    mask = np.zeros((height, width), np.bool_)
    mask[max(0, top - grown) : bottom + grown, max(0, left - grown) : right + grown] = True
    return mask


def detail(data: bytes, box: Box) -> float:
    """How much neighbouring pixels of a box differ, on average."""
    left, top, right, bottom = corners(data, box)
    grey = pixels(data)[top:bottom, left:right].mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


async def publish(
    pool: Pool,
    name: str,
    edit: Edit = "blur",
    verdict: Verdict = "allow_edited",
    **choices: object,
) -> str:
    """Publish a ruleset whose one rule, ``RULE``, is edited so; gives what to upload with."""
    ruleset = make_ruleset(faces=verdict)
    rule = ruleset.rules[0].model_copy(update={"edit": edit})
    ruleset = ruleset.model_copy(update={"name": name, "rules": [rule], **choices})
    async with pool.acquire() as conn:
        await publishing.publish(conn, ruleset, "", "somebody")
    return f"?ruleset={name}"


async def shown(caller: Caller, upload: dict[str, Any], name: str = "edited") -> bytes:
    """Get one of an upload's pictures by its link."""
    status, data, _ = await caller.ask("GET", upload["images"][name])
    assert status == 200, data
    picture: bytes = data
    return picture


async def stored_besides(conn: Conn) -> int:
    """Count the stored images that no upload was received or sent as."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM images WHERE NOT EXISTS (
            SELECT FROM uploads WHERE sha256 IN (image_sha256, canonical_sha256))
        """
    )
    return count
