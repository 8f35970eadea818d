"""Decisions take effect by themselves, once, whatever happens to who applies them."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from service import applying
from service.reviewing import Terms
from service.store import Conn, Pool
from service.store.database import Database
from tests.flows import processes
from tests.reviews.people import (
    PUBLIC_URL,
    VIOLATING,
    People,
    callbacks,
    cases,
    make_due,
    upload_row,
)
from tests.web.sending import until


@pytest.fixture
def terms() -> Terms:
    """A window that is over before a test is."""
    return Terms(undo=timedelta(seconds=1))


async def applied(owner: Conn) -> int:
    """Count decisions that took effect."""
    return int(await owner.fetchval("SELECT count(applied_at) FROM decisions"))


async def test_the_deliver_role_applies_what_is_due(
    people: People, owner: Conn, where: Database
) -> None:
    """Killed before the window is over, its successor does it: once, and nothing is lost."""
    one = await people.moderator("one")
    made = await cases(owner, *([VIOLATING] * 5))
    async with processes.deliver(where) as process:
        for upload in made:
            await one.decide(upload, "allow")
        process.kill()
        await process.wait()
    assert await applied(owner) < len(made)

    async with processes.deliver(where):

        async def all_applied() -> bool:
            return await applied(owner) == len(made)

        await until(all_applied)
    assert await callbacks(owner) == ["upload.decided"] * len(made)
    for upload in made:
        assert (await upload_row(owner, upload))["verdict"] == "allow"


async def test_not_before_it_is_due(people: People, owner: Conn, pool: Pool) -> None:
    """The clock is the database's: applied_at is never before effective_at."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.decide(upload, "allow")
    stop = asyncio.Event()
    task = asyncio.create_task(applying.run(pool, PUBLIC_URL, stop))

    async def done() -> bool:
        return await applied(owner) == 1

    await until(done)
    stop.set()
    await task
    assert await owner.fetchval("SELECT applied_at >= effective_at FROM decisions")


async def test_two_that_apply_at_once_tell_once(people: People, owner: Conn, pool: Pool) -> None:
    """Of two processes one has a decision; together they have all."""
    one = await people.moderator("one")
    made = await cases(owner, *([VIOLATING] * 30))
    for upload in made:
        await one.decide(upload, "block")
    await make_due(owner)

    async def drain() -> int:
        number = 0
        async with pool.acquire() as conn:
            while got := await applying.apply_due(conn, PUBLIC_URL):
                number += got
        return number

    assert sum(await asyncio.gather(*(drain() for _ in range(4)))) == len(made)
    assert await callbacks(owner) == ["upload.decided"] * len(made)


async def test_whatever_stops_it_half_way_leaves_nothing(
    people: People, owner: Conn, pool: Pool
) -> None:
    """Verdict, decision, callback and entry are one transaction: a fault in any undoes all."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.decide(upload, "allow")
    await make_due(owner)
    before = await upload_row(owner, upload)
    for table in ("callbacks", "audit"):
        await owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK (false) NOT VALID")
        async with pool.acquire() as conn:
            with pytest.raises(asyncpg.CheckViolationError):
                await applying.apply_due(conn, PUBLIC_URL)
        assert await upload_row(owner, upload) == before, table
        assert await applied(owner) == 0
        await owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT broken")

    async with pool.acquire() as conn:
        assert await applying.apply_due(conn, PUBLIC_URL) == 1
    assert await callbacks(owner) == ["upload.decided"]
