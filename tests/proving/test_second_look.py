"""Detectors that look once more: at what came in, and at what is about to be published."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image

from service import looking
from service.demo import FOLDER
from service.edits import Upstream as Configured
from service.local import Look
from service.local.engine import loaded
from service.local.pool import DetectorPool
from service.local.server import serve
from service.looking import Detectors
from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw, proving
from tests.conftest import Api, configured
from tests.flows import driving
from tests.proving import ASTRONAUT, CAT, RULE
from tests.upstream import Upstream, described, finding

PHOTOS = Path(skimage.__file__).parent / "data"
FACE = (117, 332, 391, 547)
NOTE = (FOLDER / "note-to-the-model.png").read_bytes()
# All photos of the wheel, and of the demonstration, in which the detectors find something.
PICTURES = [
    PHOTOS / "astronaut.png",
    PHOTOS / "camera.png",
    FOLDER / "coffee-for-sale.jpg",
    FOLDER / "business-card.png",
    FOLDER / "poster-with-code.png",
]


def with_another_face() -> bytes:
    """The astronaut with somebody else's face: nothing is left of hers, and it is no redaction."""
    faces = np.load(PHOTOS / "lfw_subset.npy")
    face = Image.fromarray((faces[0] * 255).astype(np.uint8)).convert("RGB")
    image = Image.open(io.BytesIO(ASTRONAUT)).convert("RGB")
    left, top, right, bottom = proving.corners(ASTRONAUT, FACE)
    image.paste(face.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))
    return draw.encoded(image)


@pytest.fixture
async def detectors() -> AsyncIterator[Detectors]:
    """One process of detectors, as a worker has it."""
    async with looking.opened(1) as opened:
        yield opened


@pytest.fixture
async def watched(
    pool: Pool, where: Database, decoders: Decoders, detectors: Detectors, upstream: Upstream
) -> AsyncIterator[None]:
    """A worker with detectors, in front of the scripted endpoint."""
    one = configured(upstream.url)
    async with driving.worker(pool, where, decoders, one, detectors=detectors):
        yield


@asynccontextmanager
async def local_endpoint(*, redact: bool) -> AsyncIterator[Configured]:
    """Run the local edits endpoint on a free port."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(host="127.0.0.1", port=0, processes=1, redact=redact, ready=told.set_result)
    )
    await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
    try:
        yield configured(f"{told.result()}/v1")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def found_in(picture: bytes) -> list[str]:
    """What the detectors find in a picture."""
    seen = loaded().look(Look(picture, text=False, things=True))
    return [one.kind for one in seen.sightings]


@pytest.mark.usefixtures("watched")
async def test_face_that_is_still_seen_is_boxed(api: Api, upstream: Upstream) -> None:
    """Another face leaves no structure of the first in its place; a detector sees it anyway."""
    upstream.script = [
        described(with_another_face(), findings=[finding("bystander-faces", box_2d=list(FACE))])
    ]
    done = await api.platform.upload(ASTRONAUT, Prefer="wait=50")

    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    proof = done["proof"]
    assert (proof["detectors"], proof["verdict"]) == ("looked", "not_redacted")
    (region,) = proof["regions"]
    assert (region["seen"], region["verdict"]) == (["face"], "not_redacted")
    # The numbers alone would have believed it.
    assert max(share for share in region["left"] if share is not None) < 0.15
    final = await proving.shown(api.platform, done)
    assert not proving.pixels(final)[proving.within(ASTRONAUT, FACE)].any()
    assert found_in(final) == []


@pytest.mark.usefixtures("watched")
async def test_face_in_a_picture_that_is_published_as_it_came_is_held(
    pool: Pool, api: Api, upstream: Upstream
) -> None:
    """Unconfined and in another size: the region is found where it lies in the upstream's."""
    query = await proving.publish(pool, "open", confine=False)
    edit = Image.open(io.BytesIO(with_another_face())).resize((640, 640))
    upstream.script = [described(draw.encoded(edit), findings=[finding(RULE, box_2d=list(FACE))])]
    done = await api.platform.upload(ASTRONAUT, query, Prefer="wait=50")

    assert (done["outcome"], done["verdict"]) == ("redacted", "hold")
    assert done["proof"]["verdict"] == "not_redacted"
    (region,) = done["proof"]["regions"]
    assert region["seen"] == ["face"]
    assert np.abs(np.subtract(region["final_box_2d"], FACE)).max() <= 3


@pytest.mark.usefixtures("watched")
async def test_text_that_addresses_the_model_is_read_here_too(api: Api, upstream: Upstream) -> None:
    """A description that is silent about it improves nothing; one of a harmless picture may."""
    upstream.script = [described(), described()]
    held = await api.platform.upload(NOTE, Prefer="wait=50")
    free = await api.platform.upload(CAT, Prefer="wait=50")

    assert held["description"]["text_to_model"] == []
    assert (held["outcome"], held["verdict"]) == ("clean", "hold")
    assert any("ignore" in line.lower() for line in held["proof"]["text_to_model"])
    assert (free["outcome"], free["verdict"]) == ("clean", "allow")
    assert (free["proof"]["detectors"], free["proof"]["text_to_model"]) == ("looked", [])


async def test_detectors_that_cannot_look_hold_what_was_paid_for(
    pool: Pool, where: Database, decoders: Decoders, upstream: Upstream, api: Api
) -> None:
    """The answer is kept, and a person decides; nothing is asked for, or paid, again."""
    stopped = DetectorPool(1)
    await stopped.stop()
    one = configured(upstream.url)
    upstream.script = [described()]
    async with driving.worker(pool, where, decoders, one, detectors=Detectors(stopped)):
        done = await api.platform.upload(CAT, Prefer="wait=50")

    assert (done["state"], done["outcome"], done["verdict"]) == ("done", "clean", "hold")
    assert done["proof"]["detectors"] == "failed"
    assert len(upstream.calls) == 1


async def photographed(
    pool: Pool,
    where: Database,
    decoders: Decoders,
    detectors: Detectors,
    api: Api,
    *,
    pictures: Sequence[Path] = PICTURES,
    redact: bool,
) -> list[dict[str, Any]]:
    """Send the pictures through the local endpoint."""
    async with (
        local_endpoint(redact=redact) as one,
        driving.worker(pool, where, decoders, one, detectors=detectors),
    ):
        return [await api.platform.upload(path.read_bytes(), Prefer="wait=50") for path in pictures]


@pytest.mark.parametrize(
    "pictures",
    [PICTURES[:1], pytest.param(PICTURES[1:], marks=pytest.mark.slow)],
    ids=["first", "others"],
)
async def test_real_redactions_are_proven(
    pool: Pool,
    where: Database,
    decoders: Decoders,
    detectors: Detectors,
    api: Api,
    pictures: Sequence[Path],
) -> None:
    """What the local endpoint hides in photos is proven; in what is published nothing is found."""
    photos = await photographed(
        pool, where, decoders, detectors, api, pictures=pictures, redact=True
    )
    for done in photos:
        assert done["verdict"] == "allow_edited"
        assert done["proof"]["verdict"] == "proven"
        assert done["proof"]["regions"]
        assert found_in(await proving.shown(api.platform, done)) == []


@pytest.mark.slow
async def test_redactions_that_were_not_made_are_all_made_here(
    pool: Pool, where: Database, decoders: Decoders, detectors: Detectors, api: Api
) -> None:
    """With the endpoint's redaction switched off each place is caught, and hidden all the same."""
    for done in await photographed(pool, where, decoders, detectors, api, redact=False):
        assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
        assert done["proof"]["verdict"] == "not_redacted"
        verdicts = [one["verdict"] for one in done["proof"]["regions"]]
        assert verdicts == ["not_redacted"] * len(done["description"]["findings"])
        final = await proving.shown(api.platform, done)
        assert found_in(final) == []
        original = await proving.shown(api.platform, done, "original")
        boxes = [one["box_2d"] for one in done["proof"]["regions"]]
        masks = [proving.within(original, box, grown=8) for box in boxes]
        outside = ~np.logical_or.reduce(masks)
        difference = np.abs(proving.pixels(final) - proving.pixels(original))[outside]
        assert difference.max() <= 16
