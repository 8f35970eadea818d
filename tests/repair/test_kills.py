"""A worker that dies or is stopped around a repair: the picture is not paid for again."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from service.store import Pool
from service.store.database import Database
from tests.conftest import PRICE
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.money import books
from tests.repair import CLEAN, DESCRIPTION_PRICE, INVALID, alone, edit, first_then, in_turn, ledger
from tests.upstream import Upstream, answered, hanging

REPAIR: Final[dict[str, Any]] = {
    "upstream_repair": "claude-messages",
    "upstream_repair_model": "describer",
    "upstream_repair_price_usd": DESCRIPTION_PRICE / 1_000_000,
}


@pytest.fixture
async def released() -> AsyncIterator[asyncio.Event]:
    """An event that lets go of answers that hang, at the latest when the test ends."""
    event = asyncio.Event()
    yield event
    event.set()


async def asked_alone(upstream: Upstream) -> None:
    """Wait until a description alone was asked for."""

    async def asked() -> bool:
        return any(call.alone for call in upstream.calls)

    await driving.until(asked, "a description alone is asked for")


async def check_done(owner: Owner) -> None:
    """Wait until the one upload is done; its picture is the first attempt's."""

    async def done() -> bool:
        return bool(await owner.fetchval("SELECT state = 'done' FROM uploads"))

    await driving.until(done, "the upload is done")
    assert await owner.fetchval("SELECT edit_attempt FROM records") == 1
    await driving.message_of(owner, await owner.fetchval("SELECT id FROM uploads"))
    await books.check(owner)


@pytest.mark.slow
async def test_kill_during_the_description(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, released: asyncio.Event
) -> None:
    """The lost description counts as paid, and the next attempt asks for it alone again."""
    upstream.script = [
        first_then(in_turn(INVALID), in_turn(hanging(released), answered(CLEAN)))
    ] * 3
    async with processes.work(where, upstream.url, **REPAIR) as victim:
        upload = await driving.queued(pool)
        await asked_alone(upstream)
        victim.kill()
    async with processes.work(where, upstream.url, **REPAIR):
        await check_done(owner)
    bills = [edit("invalid_description"), alone("lost"), alone("described")]
    assert await ledger(owner, upload) == bills
    assert (await driving.row(owner, upload))["charges"] == 3


async def test_kill_with_the_description_in_hand(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Killed in transaction 2 of the repair, no half of it stays, and the picture is still kept."""
    upstream.script = [INVALID, answered(CLEAN), answered(CLEAN)]
    async with processes.work(where, upstream.url, **REPAIR) as victim:
        held = owner.transaction()
        await held.start()
        await owner.execute("LOCK TABLE callbacks IN EXCLUSIVE MODE")
        upload = await driving.queued(pool)

        async def blocked() -> bool:
            waiting = "relation = 'callbacks'::regclass AND NOT granted"
            return bool(await pool.fetchval(f"SELECT count(*) FROM pg_locks WHERE {waiting}"))

        await driving.until(blocked, "transaction 2 waits for the lock")
        victim.kill()
        await victim.wait()
        await held.rollback()
    async with processes.work(where, upstream.url, **REPAIR):
        await check_done(owner)
    bills = [edit("invalid_description"), alone("lost"), alone("described")]
    assert await ledger(owner, upload) == bills


async def test_kill_between_picture_and_description(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Killed while the description waits for its budget, another worker asks for it alone."""
    upstream.script = [INVALID, answered(CLEAN)]
    async with processes.work(where, upstream.url, **REPAIR) as victim:
        upload = await driving.queued(pool)
        await books.put(pool, "global", "day", PRICE)

        async def waits() -> bool:
            return bool((await driving.row(owner, upload))["waiting_for"] == "budget")

        await driving.until(waits, "the description waits for the budget")
        victim.kill()
        await victim.wait()
    async with processes.work(where, upstream.url, **REPAIR):
        await books.put(pool, "global", "day", 2 * PRICE)
        await check_done(owner)
    assert await ledger(owner, upload) == [edit("invalid_description"), alone("described")]


@pytest.mark.slow
async def test_stop_without_grace_releases_the_description(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, released: asyncio.Event
) -> None:
    """Told to stop, the worker gives the upload back at once, uncharged, with its picture."""
    upstream.script = [
        first_then(in_turn(INVALID), in_turn(hanging(released), answered(CLEAN)))
    ] * 3
    async with processes.work(where, upstream.url, grace_s=0, lease_s=60, **REPAIR) as process:
        upload = await driving.queued(pool)
        await asked_alone(upstream)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    row = await driving.row(owner, upload)
    assert (row["state"], row["charges"], row["waiting_for"]) == ("queued", 1, None)
    async with processes.work(where, upstream.url, **REPAIR):
        await check_done(owner)
    bills = [edit("invalid_description"), alone("released"), alone("described")]
    assert await ledger(owner, upload) == bills


async def test_stop_within_the_grace_finishes_the_description(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, released: asyncio.Event
) -> None:
    """With time enough the description that is under way still makes its record."""
    upstream.script = [INVALID, hanging(released)]
    async with processes.work(where, upstream.url, grace_s=20, **REPAIR) as process:
        upload = await driving.queued(pool)
        await asked_alone(upstream)
        process.send_signal(signal.SIGTERM)
        released.set()
        assert await asyncio.wait_for(process.wait(), 15) == 0
    await check_done(owner)
    assert await ledger(owner, upload) == [edit("invalid_description"), alone("described")]
