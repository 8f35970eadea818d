"""When the books are changed, and who waits for whom there until the commit."""

import asyncio

import pytest

from service import completing
from service.store import Pool
from tests.conftest import PRICE
from tests.flows import claims, driving
from tests.flows.driving import Owner
from tests.money import books


@pytest.mark.parametrize("budgeted", [True, False])
async def test_a_transaction_that_is_undone_moves_no_money(pool: Pool, *, budgeted: bool) -> None:
    """An entry and a completion that do not commit leave the books as they were."""
    if budgeted:
        await books.put(pool, "global", "day", 9 * PRICE)
    claim = await books.claimed(pool)
    async with pool.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        assert await books.enter(conn, claim)
        # Whoever has a budget to look at sees his own price in it.
        assert await books.used(conn) == ([(0, PRICE)] if budgeted else [])
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
