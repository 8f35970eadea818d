"""A worker process killed at the worst moments: the upload is done soon, once, and paid for."""

import asyncio
import time
from uuid import UUID

from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import PRICE
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.operating.examined import closed_port
from tests.operating.scraping import scrape, value
from tests.upstream import Upstream, hanging

LEASE_S = 2.0
ALLOWED_S = LEASE_S + 5.0


async def check_done_after_loss(owner: Owner, upload: UUID, killed_at: float) -> None:
    """Wait for the end, without hurrying anything; then check that it is there once."""

    async def done() -> bool:
        return bool((await driving.row(owner, upload))["state"] == "done")

    await driving.until(done, "the upload is done")
    assert time.monotonic() - killed_at < ALLOWED_S
    row = await driving.row(owner, upload)
    assert (row["attempt"], row["charges"]) == (2, 2)
    ledger = await driving.attempts_of(owner, upload)
    assert [(one["outcome"], one["cost_microusd"], one["charged"]) for one in ledger] == [
        ("lost", PRICE, True),
        ("described", PRICE, True),
    ]
    assert await owner.fetchval("SELECT count(*) FROM records") == 1
    await driving.message_of(owner, upload)


async def test_kill_in_the_middle_of_a_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Killed while the upstream works, its upload is taken over when the lease has run out."""
    until, port = asyncio.Event(), closed_port()
    upstream.script = [hanging(until)]
    async with processes.work(where, upstream.url, lease_s=LEASE_S) as victim:
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        async with processes.work(where, upstream.url, lease_s=LEASE_S, metrics_port=port):
            victim.kill()
            await check_done_after_loss(owner, upload, time.monotonic())
            assert len(upstream.calls) == 2
            await driving.ended(owner, await driving.queued(pool, draw.png(9, 8, "red")))
            seen = await scrape(f"http://127.0.0.1:{port}/metrics")
            assert value(seen, "log_events_total", event="upload_taken_over") == 1
    until.set()


async def test_kill_between_answer_and_commit(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Killed with the answer in hand and transaction 2 half written, no half of it stays."""
    async with processes.work(where, upstream.url, lease_s=LEASE_S) as victim:
        held = owner.transaction()
        await held.start()
        await owner.execute("LOCK TABLE callbacks IN EXCLUSIVE MODE")
        upload = await driving.queued(pool)

        async def blocked() -> bool:
            return bool(
                await pool.fetchval(
                    "SELECT count(*) FROM pg_locks "
                    "WHERE relation = 'callbacks'::regclass AND NOT granted"
                )
            )

        await driving.until(blocked, "transaction 2 waits for the lock")
        async with processes.work(where, upstream.url, lease_s=LEASE_S):
            victim.kill()
            await victim.wait()
            await held.rollback()
            await check_done_after_loss(owner, upload, time.monotonic())
    assert len(upstream.calls) == 2
