"""SIGTERM: calls in flight finish within the grace, or are released at once and uncharged."""

import asyncio
import signal
from datetime import timedelta

from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import PRICE, configured
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.upstream import Upstream, hanging


async def test_call_in_flight_finishes_within_the_grace(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Told to stop in the middle of a call, the process writes the answer, then exits with 0."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    async with processes.work(where, upstream.url, grace_s=20) as process:
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        later = await driving.queued(pool, draw.png(9, 9, "red"))
        process.send_signal(signal.SIGTERM)
        until.set()
        assert await asyncio.wait_for(process.wait(), 15) == 0
    row = await driving.row(owner, upload)
    assert (row["state"], row["attempt"]) == ("done", 1)
    assert (await driving.row(owner, later))["state"] in ("queued", "done")
    await driving.message_of(owner, upload)


async def test_without_grace_calls_are_released_at_once(
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """The upload is due at once, uncharged; what its call reserved is entered as spent."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    async with processes.work(where, upstream.url, grace_s=0, lease_s=60) as process:
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    until.set()
    row = await driving.row(owner, upload)
    assert (row["state"], row["charges"], row["waiting_for"]) == ("queued", 0, None)
    (released,) = await driving.attempts_of(owner, upload)
    assert (released["outcome"], released["charged"]) == ("released", False)
    assert released["cost_microusd"] == PRICE

    async with driving.worker(pool, where, decoders, configured(upstream.url)):

        async def done() -> bool:
            return bool((await driving.row(owner, upload))["state"] == "done")

        await driving.until(done, "another worker has done it")
    row = await driving.row(owner, upload)
    assert (row["attempt"], row["charges"]) == (2, 1)
    assert row["finished_at"] - released["finished_at"] < timedelta(seconds=10)
    await driving.message_of(owner, upload)


async def test_many_held_uploads_are_all_released(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """A worker that stops leaves nothing held, however many calls were in flight."""
    until = asyncio.Event()
    upstream.script = [hanging(until)] * 20
    uploads = [await driving.queued(pool, draw.png(8 + n, 8, "red")) for n in range(12)]
    settings = configured(upstream.url, timeout_s=60)
    async with driving.worker(pool, where, decoders, settings, grace_s=0, concurrency=12):

        async def all_called() -> bool:
            return len(upstream.calls) == len(uploads)

        await driving.until(all_called, "every upload is in a call")
    until.set()
    rows = [await driving.row(owner, upload) for upload in uploads]
    assert {(row["state"], row["charges"]) for row in rows} == {("queued", 0)}
    open_attempts = await owner.fetchval("SELECT count(*) FROM attempts WHERE outcome IS NULL")
    assert open_attempts == 0
