"""Prefer: wait=SECONDS, the answer that comes when the upload has ended."""

import asyncio
import time

import pytest

from service.store import Pool
from tests import draw
from tests.conftest import Api
from tests.upstream import Upstream, described, finding, hanging
from tests.web import sending
from tests.web.sending import PNG


@pytest.mark.usefixtures("working")
async def test_waiting_answers_200_with_the_finished_upload(api: Api, upstream: Upstream) -> None:
    """The answer is what GET says afterwards, and carries the Location too."""
    upstream.script = [described(findings=[finding("bystander-faces")])]
    headers = {"Prefer": "respond-async, wait=30", "Content-Type": "image/png"}

    status, body, sent = await api.platform.ask("POST", "/v1/uploads", data=PNG, headers=headers)

    assert (status, body["state"], body["outcome"]) == (200, "done", "redacted")
    assert sent["Location"] == f"/v1/uploads/{body['id']}"
    assert (await api.platform.ask("GET", sent["Location"]))[1] == body


async def test_a_wait_that_is_over_answers_202(api: Api) -> None:
    """With nobody working the answer comes after the time that was asked for, not before."""
    begin = time.perf_counter()
    headers = {"Prefer": "wait=1", "Content-Type": "image/png"}

    status, body, _ = await api.platform.ask("POST", "/v1/uploads", data=PNG, headers=headers)

    assert (status, body["state"]) == (202, "queued")
    assert 0.9 < time.perf_counter() - begin < 5


async def test_what_is_no_wait_answers_at_once(api: Api) -> None:
    """Preferences that are not understood are passed over, as RFC 7240 asks."""
    for prefer in ("", "wait=0", "wait=soon", "await=9", "wait=-5", "wait"):
        async with asyncio.timeout(5):
            accepted = await api.platform.upload(PNG, Prefer=prefer)
        assert accepted["state"] == "queued"


@pytest.mark.usefixtures("working")
async def test_fifty_waiters_hold_no_connection(api: Api, upstream: Upstream, pool: Pool) -> None:
    """While fifty wait on ten connections others are served, and all fifty get their end."""
    go = asyncio.Event()
    upstream.script = [hanging(go) for _ in range(50)]
    waiting = [
        asyncio.create_task(api.platform.upload(draw.png(8, 8, (number, 0, 0)), Prefer="wait=60"))
        for number in range(50)
    ]

    async def all_taken() -> bool:
        return bool(await pool.fetchval("SELECT count(*) = 50 FROM uploads"))

    await sending.until(all_taken)
    async with asyncio.timeout(5):
        assert (await api.moderator.ask("GET", "/v1/records"))[0] == 200
    go.set()
    async with asyncio.timeout(45):
        ended = await asyncio.gather(*waiting)

    assert {one["state"] for one in ended} == {"done"}
    assert len({one["id"] for one in ended}) == 50


@pytest.mark.usefixtures("working")
async def test_a_failed_upload_ends_the_wait_too(api: Api) -> None:
    """Whoever waits hears of a failure at once."""
    cut = draw.jpeg(64, 64, "teal")[:200]

    ended = await api.platform.upload(cut, Prefer="wait=30", Content_Type="image/jpeg")

    assert (ended["state"], ended["verdict"]) == ("failed", "hold")
