"""When the books are changed, and who waits for whom there until the commit."""

import asyncio

import pytest

from service import completing
from service.store import Pool, erasures
from tests.conftest import PRICE
from tests.flows import claims, driving
from tests.flows.driving import Owner
from tests.money import books


@pytest.mark.parametrize(
    ("budget", "per_minute", "at_once"),
    [(None, None, False), (9 * PRICE, None, True), (None, 600, True)],
)
async def test_a_transaction_that_is_undone_moves_no_money(
    pool: Pool, budget: int | None, per_minute: int | None, *, at_once: bool
) -> None:
    """
    An entry and a completion that do not commit leave the books as they were.

    Whoever looks at a budget or waits for a limited upstream has entered his price there before.
    """
    claim = await books.claimed(pool)
    async with pool.acquire() as conn:
        # The first call makes its upstream known.
        assert await books.enter(conn, await books.claimed(pool), price=0)
        if budget is not None:
            await books.put(pool, "global", "day", budget)
        undone = conn.transaction()
        await undone.start()
        assert await books.enter(conn, claim, per_minute=per_minute)
        assert await books.used(conn) == ([(0, PRICE)] if at_once else [])
        await undone.rollback()
        assert await books.used(conn) == []

        assert await books.enter(conn, claim)
        undone = conn.transaction()
        await undone.start()
        await claims.succeed(conn, claim)
        await undone.rollback()
        assert await books.used(conn) == [(0, PRICE)]
    await books.check(pool)


async def test_who_pays_waits_for_nobody_without_budgets(pool: Pool) -> None:
    """Entries and ends of two uploads go past each other before either is committed."""
    first, one, other = [await books.claimed(pool) for _ in range(3)]
    async with pool.acquire() as conn, pool.acquire() as second, asyncio.timeout(20):
        # Whoever calls an upstream for the first time makes others wait until that is noted.
        assert await books.enter(conn, first)
        async with conn.transaction():
            assert await books.enter(conn, one)
            assert await books.enter(second, other)
        assert await books.used(conn) == [(0, 3 * PRICE)]
        async with conn.transaction():
            await completing.fail(conn, one, "exhausted", claims.completion("timeout"), claims.URL)
            await completing.fail(
                second, other, "exhausted", claims.completion("timeout"), claims.URL
            )
        assert await books.used(conn) == [(2 * PRICE, PRICE)]
    await books.check(pool)


async def test_who_pays_waits_for_others_where_there_is_a_budget(pool: Pool, owner: Owner) -> None:
    """Of two at once for the last call within a budget only one is let in."""
    await books.put(pool, "global", "day", PRICE)
    one, other = await books.claimed(pool), await books.claimed(pool)
    async with pool.acquire() as conn, pool.acquire() as second:
        async with conn.transaction():
            assert await books.enter(conn, one)
            entering = asyncio.create_task(books.enter(second, other))
            await driving.until(lambda: driving.blocked(owner), "the second one waits")
        assert not await entering
    assert await books.used(pool) == [(0, PRICE)]


async def test_a_budget_is_set_once_those_who_saw_none_have_entered(
    pool: Pool, owner: Owner
) -> None:
    """Whoever enters without a budget while one is set is counted before it holds for others."""
    one, other = await books.claimed(pool), await books.claimed(pool)
    async with pool.acquire() as conn, pool.acquire() as second:
        async with conn.transaction():
            assert await books.enter(conn, one)
            setting = asyncio.create_task(books.put(pool, "global", "day", PRICE))
            await driving.until(lambda: driving.blocked(owner), "the budget waits")
            entering = asyncio.create_task(books.enter(second, other))
        await setting
        assert not await entering
    assert await books.used(pool) == [(0, PRICE)]


async def test_a_warning_is_told_without_holding_the_books(pool: Pool, owner: Owner) -> None:
    """A deletion in mid-call holds the audit trail and pays; an entry pays and then warns there."""
    await books.put(pool, "global", "day", 3 * PRICE)
    deleted, second, third = [await books.claimed(pool) for _ in range(3)]
    async with pool.acquire() as conn, pool.acquire() as deleting:
        assert await books.enter(conn, deleted)
        assert await books.enter(conn, second)
        async with deleting.transaction():
            await erasures.erase(deleting, deleted.id, None, "somebody")
            entering = asyncio.create_task(books.enter(conn, third))
            await driving.until(lambda: driving.blocked(owner), "the warning waits")
        assert await entering
    assert await books.audited(pool) == ["budget.set", "budget.warned"]
    await books.check(pool)
