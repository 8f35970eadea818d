"""What an integrator's program does with the client, against the real API and a real worker."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service import ids
from service.client import Client, ProblemError
from service.store import Conn
from tests import draw
from tests.client.relay import through
from tests.conftest import Api
from tests.web import ended
from tests.web.ended import Ended

IMAGE = draw.png(64, 48, "teal")


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    """The client of a platform."""
    async with Client(f"{api.url}/", api.platform.token) as opened:
        yield opened


@pytest.mark.usefixtures("working")
async def test_an_image_is_sent_waited_for_and_fetched(client: Client, tmp_path: Path) -> None:
    """From a file to the edited picture in the README's few lines; each answer is typed."""
    path = tmp_path / "photo.png"
    path.write_bytes(IMAGE)
    sent = await client.submit(path, ruleset="privacy", external_id="post 4711/ü&?")
    assert (sent.verdict, sent.external_id, sent.ended) == ("hold", "post 4711/ü&?", False)
    found = await client.wait(sent.id, timeout_s=30)
    assert (found.id, found.ended, found.state) == (sent.id, True, "done")
    assert (found.ruleset.name, found.ruleset.version) == ("privacy", sent.ruleset.version)
    assert found.description is not None
    assert found.description.summary == found.raw["description"]["summary"]
    assert found.finished_at is not None
    assert found.finished_at > found.received_at
    assert found == await client.upload(str(found.id))
    picture, media_type = await client.image(found.id, "edited")
    assert (picture[:4], media_type) == (b"\x89PNG", "image/png")
    assert "proof" in found.raw


@pytest.mark.usefixtures("working")
async def test_one_request_can_wait_for_the_verdict(client: Client) -> None:
    """With wait_s the upload that comes back has ended; what was said beside it is kept."""
    metadata = {"post": {"id": 7}, "tags": ["ü"]}
    found = await client.submit(IMAGE, metadata=metadata, external_id="7", wait_s=30)
    assert (found.state, found.metadata, found.external_id) == ("done", metadata, "7")


async def test_a_wait_ends_when_its_time_is_up(client: Client) -> None:
    """Nobody works here, so the wait is given up and names the upload, which goes on."""
    sent = await client.submit(IMAGE)
    with pytest.raises(TimeoutError, match=f"{sent.id} has not ended within 0.2 s"):
        await client.wait(sent.id, timeout_s=0.2)
    assert not (await client.upload(sent.id)).ended


async def test_a_key_of_ones_own_makes_one_upload(client: Client) -> None:
    """The same key gives the same upload, also to a later process; without, each is new."""
    one, again = [await client.submit(IMAGE, idempotency_key="post-1") for _ in range(2)]
    other = await client.submit(IMAGE)
    assert one.id == again.id != other.id


async def test_an_address_is_sent_for_the_service_to_fetch(api: Api) -> None:
    """A str is an image_url; what is no address is refused before anything is sent."""
    async with through(api) as (between, client):
        with pytest.raises(ValueError, match=r"'photo\.jpg' is no http\(s\) address"):
            await client.submit("photo.jpg")
        assert between.seen == []
        sent = await client.submit("https://images.example/a.jpg", ruleset="privacy")
        assert not sent.ended
        assert b'"image_url": "https://images.example/a.jpg"' in between.seen[0].body
    with pytest.raises(FileNotFoundError):
        await client.submit(Path("/nowhere/photo.jpg"))


async def test_refusals_have_a_code_a_detail_and_each_fault(client: Client, api: Api) -> None:
    """What the service refuses is an exception that a program can tell apart."""
    refused = [
        (client.submit(b"Dear Sir or Madam"), 415, "not_an_image"),
        (client.submit(IMAGE, ruleset="nosuch"), 422, "ruleset_unknown"),
        (client.submit(IMAGE, external_id="x" * 201), 422, "validation_failed"),
        (client.upload(ids.uuid7()), 404, "not_found"),
        (client.wait(ids.uuid7()), 404, "not_found"),
        (client.image(ids.uuid7(), "edited"), 404, "not_found"),
    ]
    for asked, status, code in refused:
        with pytest.raises(ProblemError) as caught:
            await asked
        error = caught.value
        assert (error.status, error.code, error.passing) == (status, code, False)
        assert error.detail
        assert str(error) == f"HTTP {status} {code}: {error.detail}"
    async with Client(api.url, "mod_nobody") as stranger:
        with pytest.raises(ProblemError, match="HTTP 401 token_invalid"):
            await stranger.submit(IMAGE)


async def test_records_are_followed_over_all_pages(api: Api, owner: Conn) -> None:
    """Every record that fits comes once, the newest first, whatever the size of a page."""
    for day in range(7):
        await ended.add(owner, Ended("clean" if day % 2 else "violating", day=day))
    async with Client(api.url, api.moderator.token) as client:
        every = [one async for one in client.records(limit=2)]
        since = datetime(2026, 11, 4, tzinfo=UTC)
        few = [one async for one in client.records(outcome="clean", received_from=since, rule=None)]
        with pytest.raises(ProblemError, match="422 validation_failed"):
            await anext(client.records(nosuch=1))
    assert [one.received_at.day for one in every] == [7, 6, 5, 4, 3, 2, 1]
    assert len({one.id for one in every}) == 7
    assert [(one.outcome, one.received_at.day) for one in few] == [("clean", 6), ("clean", 4)]
