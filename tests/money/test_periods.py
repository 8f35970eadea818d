"""Days and months of budgets: where they begin, how long is waited, what is told once in each."""

from datetime import datetime, timedelta

import pytest

from service import budgeting
from service.store import Pool
from tests.conftest import PRICE
from tests.money import books
from tests.money.books import audited, put


async def test_a_new_day_has_room_again(pool: Pool) -> None:
    """Midnight UTC begins a new day's budget; the month's goes on until it is used up as well."""
    await put(pool, "global", "day", PRICE)
    await put(pool, "global", "month", 2 * PRICE)
    begin = datetime.fromisoformat("2026-03-30T00:00:00Z")
    moments = {
        begin: True,
        begin + timedelta(hours=23, minutes=59): False,
        begin + timedelta(days=1): True,
        begin + timedelta(days=1, hours=23): False,
        begin + timedelta(days=2): True,  # the first of April
    }
    entered = {}
    async with pool.acquire() as conn:
        for moment in moments:
            entered[moment] = await books.enter(conn, await books.claimed(pool), now=moment)
    assert entered == moments
    assert await books.used(pool, period="day") == [(0, PRICE)] * 3
    assert await books.used(pool, period="month") == [(0, 2 * PRICE), (0, PRICE)]
    await books.check(pool)


@pytest.mark.parametrize(
    ("at", "wait_s"),
    [("2026-03-30T23:59:30Z", 30), ("2026-03-30T23:58:30Z", 60), ("2026-03-30T12:00:00Z", 60)],
)
async def test_waits_no_longer_than_to_the_next_period(at: str, wait_s: int, pool: Pool) -> None:
    """It asks again in a minute, or at the day's end if that is sooner."""
    await put(pool, "global", "day", 0)
    claim = await books.claimed(pool)
    async with pool.acquire() as conn, conn.transaction():
        assert not await books.enter(conn, claim, now=datetime.fromisoformat(at))
        # Within one transaction now() stands still, so the wait can be read exactly.
        wait = await conn.fetchval("SELECT due_at - now() FROM uploads WHERE id = $1", claim.id)
    assert wait == timedelta(seconds=wait_s)


async def test_the_longest_of_several_waits_counts(pool: Pool) -> None:
    """With day and month used up it does not come back at midnight, when the month still is."""
    for period in budgeting.PERIODS:
        await put(pool, "global", period, 0)
    claim = await books.claimed(pool)
    moment = datetime.fromisoformat("2026-03-30T23:59:59Z")
    async with pool.acquire() as conn, conn.transaction():
        assert not await books.enter(conn, claim, now=moment)
        wait = await conn.fetchval("SELECT due_at - now() FROM uploads WHERE id = $1", claim.id)
    assert wait == timedelta(seconds=60)


async def test_a_warning_comes_once_a_period_and_limit(
    pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each passing of the share is told once; another day or another limit is told anew."""

    async def enter(moment: datetime, count: int) -> int:
        async with pool.acquire() as conn:
            for _ in range(count):
                assert await books.enter(conn, await books.claimed(pool), now=moment)
        return capsys.readouterr().err.count("budget_warned")

    await put(pool, "global", "day", 5 * PRICE)
    assert await enter(books.NOON, 3) == 0
    assert await enter(books.NOON, 1) == 1  # four of five is the share of 0.8 exactly
    assert await enter(books.NOON, 1) == 0
    assert await enter(books.NOON + timedelta(days=1), 4) == 1
    await put(pool, "global", "day", 6 * PRICE)
    assert await enter(books.NOON, 1) == 1
    assert (await audited(pool)).count("budget.warned") == 3
