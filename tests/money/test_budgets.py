"""Budgets: calls stop at the last affordable one, and uploads wait until there is room."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from service import budgeting
from service.pictures.pool import Decoders
from service.store import Pool, uploads
from service.store.database import Database
from tests.conftest import PRICE, Api, configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.money import books
from tests.money.books import audited, put
from tests.upstream import Upstream, error

DOLLAR = 1_000_000
_STATES = """
    SELECT count(*) FILTER (WHERE state = 'done') AS done,
           count(*) FILTER (WHERE state = 'queued' AND waiting_for = 'budget') AS waiting
      FROM uploads
"""


@contextlib.asynccontextmanager
async def workers(
    count: int, pool: Pool, where: Database, decoders: Decoders, upstream: Upstream, **changes: int
) -> AsyncIterator[None]:
    """Run workers that race for the same uploads and the same budget."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            called = configured(upstream.url, **changes)
            await stack.enter_async_context(driving.worker(pool, where, decoders, called))
        yield


async def until_states(pool: Pool, done: int, waiting: int) -> None:
    """Wait, without hurrying anything, until so many uploads are done and so many wait."""

    async def reached() -> bool:
        row = await pool.fetchrow(_STATES)
        assert row is not None
        assert row["done"] <= done, f"{row['done']} were paid for, not {done}"
        return (row["done"], row["waiting"]) == (done, waiting)

    await driving.until(reached, f"{done} done and {waiting} waiting")


async def test_a_dollar_a_day_stops_at_the_last_affordable_call(
    pool: Pool,
    where: Database,
    decoders: Decoders,
    upstream: Upstream,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Four workers racing over 40 uploads make 17 calls of $0.058, and a higher limit goes on."""
    await put(pool, "global", "day", DOLLAR)
    await books.queued(pool, 40)
    async with workers(4, pool, where, decoders, upstream):
        await until_states(pool, done=17, waiting=23)
        assert len(upstream.calls) == 17
        assert await books.used(pool) == [(17 * PRICE, 0)]
        # Many were turned away and one passed the share, and each is told once.
        log = capsys.readouterr().err
        assert (log.count("budget_warned"), log.count("budget_spent")) == (1, 1)
        assert await audited(pool) == ["budget.set", "budget.warned", "budget.spent"]
        waited = await pool.fetch("SELECT * FROM uploads WHERE waiting_for = 'budget'")
        assert {(row["charges"], row["verdict"], row["finished_at"]) for row in waited} == {
            (0, "hold", None)
        }
        assert await pool.fetchval("SELECT count(*) FROM callbacks") == 17

        assert await put(pool, "global", "day", 2 * DOLLAR) == 23
        await until_states(pool, done=34, waiting=6)
        async with pool.acquire() as conn:
            assert await budgeting.remove(conn, "global", "day") == 6
        await until_states(pool, done=40, waiting=0)
    assert len(upstream.calls) == 40
    await books.check(pool)


async def test_waiting_is_shown_and_comes_back_soon(api: Api, pool: Pool) -> None:
    """The API says what an upload waits for; it is due within a minute, and it cost nothing."""
    await put(pool, "global", "month", PRICE - 1)
    claim = await books.claimed(pool)
    async with pool.acquire() as conn:
        assert not await books.enter(conn, claim)

    status, body, _ = await api.moderator.ask("GET", f"/v1/uploads/{claim.id}")
    assert status == 200
    assert (body["state"], body["waiting_for"]) == ("queued", "budget")
    assert (body["outcome"], body["verdict"], body["attempts"]) == (None, "hold", [])
    row = await pool.fetchrow("SELECT due_at - now() AS wait, charges FROM uploads")
    assert row is not None
    assert timedelta(seconds=0) < row["wait"] <= timedelta(seconds=60)
    assert row["charges"] == 0
    assert await books.used(pool) == []


async def test_a_lost_call_is_closed_though_there_is_no_room(pool: Pool, owner: Owner) -> None:
    """The call of a worker that died counts as spent, also where its upload must wait then."""
    claim = await books.claimed(pool)
    async with pool.acquire() as conn:
        assert await books.enter(conn, claim)
        await put(pool, "global", "day", PRICE)
        await owner.execute("UPDATE uploads SET due_at = now()")
        (again,) = await uploads.claim(conn, 1, timedelta(minutes=1))
        assert not await books.enter(conn, again)

    ledger = await pool.fetch("SELECT attempt, outcome, cost_microusd FROM attempts")
    assert [tuple(row) for row in ledger] == [(1, "lost", PRICE)]
    assert await books.used(pool) == [(PRICE, 0)]
    assert await pool.fetchval("SELECT waiting_for FROM uploads") == "budget"
    await books.check(pool)


@pytest.mark.parametrize(
    ("scope", "stopped"),
    [
        ("global", {"club/privacy", "club/community", "shop/privacy", "shop/community"}),
        ("platform:club", {"club/privacy", "club/community"}),
        ("ruleset:community", {"club/community", "shop/community"}),
    ],
)
@pytest.mark.parametrize("period", budgeting.PERIODS)
async def test_a_budget_stops_only_its_own_scope(
    scope: str, stopped: set[str], period: str, pool: Pool
) -> None:
    """A platform's or a ruleset's budget that is used up leaves the others alone."""
    for platform in ("club", "shop"):
        await books.queued(pool, platform=platform)  # makes the platform known
    await pool.execute("UPDATE uploads SET due_at = now() + interval '1 hour'")
    await put(pool, scope, period, 0)
    found = set()
    async with pool.acquire() as conn:
        for platform in ("club", "shop"):
            for ruleset in ("privacy", "community"):
                claim = await books.claimed(pool, platform=platform, ruleset=ruleset)
                if not await books.enter(conn, claim):
                    found.add(f"{platform}/{ruleset}")
    assert found == stopped
    await books.check(pool)


async def test_the_tightest_budget_decides_and_nothing_is_kept_in_the_others(pool: Pool) -> None:
    """Room in one budget is not used up by an attempt that another has no room for."""
    await put(pool, "global", "day", 10 * PRICE)
    await put(pool, "ruleset:privacy", "month", PRICE)
    first, second = await books.claimed(pool), await books.claimed(pool)
    async with pool.acquire() as conn:
        assert await books.enter(conn, first)
        assert not await books.enter(conn, second)
    assert await books.used(pool) == [(0, PRICE)]
    (told,) = await pool.fetch("SELECT subject, detail FROM audit WHERE action = 'budget.spent'")
    assert (told["subject"], told["detail"]["period"]) == ("ruleset:privacy", "month")
    assert (told["detail"]["limit_microusd"], told["detail"]["used_microusd"]) == (PRICE, 2 * PRICE)


async def test_what_is_free_never_waits(
    pool: Pool, where: Database, decoders: Decoders, upstream: Upstream
) -> None:
    """An upstream of price 0 is called although every budget is used up."""
    for period in budgeting.PERIODS:
        await put(pool, "global", period, 0)
    await books.queued(pool, 3)
    async with workers(1, pool, where, decoders, upstream, price_microusd=0):
        await until_states(pool, done=3, waiting=0)
    assert await books.used(pool) == []
    await books.check(pool)


async def test_a_call_that_was_not_paid_leaves_its_room_to_another(
    pool: Pool, owner: Owner, where: Database, decoders: Decoders, upstream: Upstream
) -> None:
    """A refusal gives back what it had reserved, so the budget still pays for two images."""
    upstream.script = [error(400, "moderation_blocked")]
    await put(pool, "global", "day", 2 * PRICE)
    uploads = await books.queued(pool, 3)
    async with workers(1, pool, where, decoders, upstream):
        rows = await driving.ended(owner, *uploads)
    assert sorted(row["outcome"] for row in rows) == ["clean", "clean", "refused"]
    assert await books.used(pool) == [(2 * PRICE, 0)]
    await books.check(pool)


async def test_a_budget_counts_what_was_spent_before_it_was_set(pool: Pool) -> None:
    """Setting a budget in the middle of a month does not begin a new month."""
    async with pool.acquire() as conn:
        for _ in range(2):
            assert await books.enter(conn, await books.claimed(pool))
        await put(pool, "platform:default", "month", 2 * PRICE)
        assert not await books.enter(conn, await books.claimed(pool))


async def test_raising_a_limit_wakes_only_its_own(pool: Pool) -> None:
    """What waits for another scope's budget, or for the upstream, keeps its time."""
    waiting: dict[str, UUID] = {}
    for platform in ("club", "shop", "other"):
        (waiting[platform],) = await books.queued(pool, platform=platform)
    for platform, reason in (("club", "budget"), ("shop", "budget"), ("other", "upstream")):
        await pool.execute(
            "UPDATE uploads SET waiting_for = $2, due_at = now() + interval '1 hour' WHERE id = $1",
            waiting[platform],
            reason,
        )
    assert await put(pool, "platform:club", "day", DOLLAR) == 1
    due = await pool.fetch("SELECT id FROM uploads WHERE due_at <= now()")
    assert [row["id"] for row in due] == [waiting["club"]]
    assert await put(pool, "global", "day", DOLLAR) == 1


async def test_racing_entries_never_pass_the_limit(pool: Pool) -> None:
    """Ten entries at the same moment get exactly the room there is."""
    await put(pool, "global", "day", 4 * PRICE)
    claims = [await books.claimed(pool) for _ in range(10)]

    async def one(index: int) -> bool:
        async with pool.acquire() as conn:
            return await books.enter(conn, claims[index])

    entered = await asyncio.gather(*map(one, range(10)))
    assert sum(entered) == 4
    assert await books.used(pool) == [(0, 4 * PRICE)]
    await books.check(pool)


async def test_waiting_for_a_budget_says_nothing_of_the_upstream(
    pool: Pool,
    where: Database,
    decoders: Decoders,
    upstream: Upstream,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While the upstream refuses our key, an upload without room does not end the pause."""
    upstream.script = [error(401, "invalid_api_key")] * 100
    await books.queued(pool, platform="shop")
    await books.queued(pool, 5, platform="club")
    await put(pool, "platform:club", "day", 0)
    async with driving.worker(pool, where, decoders, configured(upstream.url), concurrency=1):

        async def probed() -> bool:
            waiting = "SELECT count(*) FROM uploads WHERE waiting_for = 'budget'"
            return len(upstream.calls) >= 2 and await pool.fetchval(waiting) == 5

        await driving.until(probed, "two probes, and five that wait for the budget")
    log = capsys.readouterr().err
    assert "upstream_paused" in log
    assert "upstream_resumed" not in log
