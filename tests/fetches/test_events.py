"""Events of hooks: each becomes one upload, however often and from wherever it is told of."""

import asyncio

import pytest

from service.errors import InputRefused
from service.hooks import Link, StoredObject
from service.intake import Accepted, Event, Intake, Known, Received
from service.pictures import headers
from service.store import Pool, platforms
from tests import fetches
from tests.flows.driving import PUBLIC_URL, TEAL, Owner

EVENT = Event("s3", "a" * 64)
LINK = Received(Link("http://127.0.0.1/a.png"), None, None, {})


@pytest.fixture
async def intake(pool: Pool) -> Intake:
    """The intake of two platforms."""
    async with pool.acquire() as conn:
        for name in ("default", "other"):
            await platforms.add(conn, name)
    return Intake(pool, headers.Limits(), "privacy", PUBLIC_URL, fetches.HOSTS)


async def test_event_told_of_at_once_becomes_one_upload(intake: Intake, owner: Owner) -> None:
    """Of ten at the same time one is accepted; the others wait for it and are given its upload."""
    results = await asyncio.gather(
        *(intake.accept_event("default", LINK, EVENT) for _ in range(10))
    )
    (accepted,) = [one for one in results if isinstance(one, Accepted)]
    assert [one for one in results if isinstance(one, Known)] == [Known(accepted.upload.id)] * 9
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 1
    assert await owner.fetchval("SELECT uploads FROM intake_days") == 1


async def test_other_events_are_others(intake: Intake, owner: Owner) -> None:
    """Another platform, preset or id is another event, and without an id each telling is one."""
    bytes_sent = Received(TEAL, None, None, {})
    for platform, received, event in (
        ("default", LINK, EVENT),
        ("other", LINK, EVENT),
        ("default", LINK, Event("tus", EVENT.id)),
        ("default", LINK, Event("s3", "b")),
        ("default", LINK, None),
        ("default", LINK, None),
        ("default", bytes_sent, Event("s3", "c")),
    ):
        assert isinstance(await intake.accept_event(platform, received, event), Accepted)
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 7
    assert await owner.fetchval("SELECT count(*) FROM uploads WHERE waiting_for = 'fetch'") == 6


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Link("http://10.0.0.1/a.png"), "10.0.0.1 is not a public address"),
        (StoredObject("photos", "a.png"), "'photos' is no bucket that is fetched from"),
    ],
)
async def test_refused_event_is_not_remembered(
    intake: Intake, owner: Owner, image: Link | StoredObject, words: str
) -> None:
    """When it is told of again, after the settings were mended, it becomes an upload."""
    with pytest.raises(InputRefused, match=words) as refused:
        await intake.accept_event("default", Received(image, None, None, {}), EVENT)
    assert refused.value.code == "image_url_not_allowed"
    assert not await owner.fetchval("SELECT count(*) FROM hook_events")
    assert isinstance(await intake.accept_event("default", LINK, EVENT), Accepted)
