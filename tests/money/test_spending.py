"""The books: what is spent and reserved is the sum over the ledger, whatever happens."""

import asyncio
import dataclasses
from collections.abc import Mapping

import asyncpg
import pytest

from service import budgeting, completing, resources
from service.pictures.pool import Decoders
from service.store import Pool, attempts, images, migrations, uploads
from service.store.database import Database
from tests.conftest import PRICE, configured
from tests.flows import claims, driving, processes
from tests.flows.driving import Owner
from tests.money import books
from tests.money.books import Call
from tests.upstream import (
    SENT,
    Answer,
    Upstream,
    cut,
    described,
    error,
    hanging,
    items,
    text,
)

# How each upload's calls are answered, and what is entered as spent for all of them.
ENDINGS: Mapping[str, tuple[tuple[Answer, ...], int]] = {
    "described": ((described(),), PRICE),
    "refused": ((error(400, "moderation_blocked"),), 0),
    "no image": ((items(),), PRICE),
    "no description twice": ((items({"b64_json": SENT}),) * 2, 2 * PRICE),
    "busy, then described": ((error(429, "rate_limit"), described()), PRICE),
    "broken off, then described": ((cut(), described()), 2 * PRICE),
    "not JSON, then described": ((text("<html>"), described()), 2 * PRICE),
    "no key, then described": ((error(401, "invalid_api_key"), described()), PRICE),
    "fault upstream, then refused": (
        (error(500, "server_error"), error(400, "moderation_blocked")),
        0,
    ),
    "invalid description, then described": (
        (items({"b64_json": SENT, "revised_prompt": "{}"}), described()),
        2 * PRICE,
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_every_ending_leaves_the_books_right(
    name: str,
    pool: Pool,
    owner: Owner,
    where: Database,
    decoders: Decoders,
    upstream: Upstream,
) -> None:
    """Paid, unpaid, tried again: what was reserved has become the real cost, and none is left."""
    answers, cost = ENDINGS[name]
    upstream.script = list(answers)
    async with driving.worker(pool, where, decoders, configured(upstream.url)):
        (upload,) = await books.queued(pool)
        await driving.ended(owner, upload)
    ledger = await driving.attempts_of(owner, upload)
    assert sum(row["cost_microusd"] for row in ledger) == cost
    assert await books.used(pool) == [(cost, 0)]
    await books.check(pool)


async def test_released_and_lost_calls_are_taken_as_spent(pool: Pool, owner: Owner) -> None:
    """A call that may have been billed costs what it reserved, whoever closes it."""
    released = await books.claimed(pool)
    async with pool.acquire() as conn:
        assert await books.enter(conn, released)
        assert await books.used(conn) == [(0, PRICE)]
        end = attempts.Completion("released", charged=False, cost_microusd=PRICE)
        await completing.release(conn, released, end, charged=False, delay_s=3600)
        assert await books.used(conn) == [(PRICE, 0)]

        lost = await books.claimed(pool)
        assert await books.enter(conn, lost)
        await conn.execute("UPDATE uploads SET due_at = now() WHERE id = $1", lost.id)
        (again,) = await uploads.claim(conn, 1, books.MINUTE)
        assert again.attempt == lost.attempt + 1
        assert await books.enter(conn, again)
        assert await books.used(conn) == [(2 * PRICE, PRICE)]
        await claims.succeed(conn, again)
        assert await books.used(conn) == [(3 * PRICE, 0)]
    assert [row["outcome"] for row in await driving.attempts_of(owner, lost.id)] == [
        "lost",
        "described",
    ]
    await books.check(pool)


async def test_a_cheaper_call_gives_the_rest_back(pool: Pool) -> None:
    """What was reserved and not spent is room again, in the same transaction."""
    claim = await books.claimed(pool)
    async with pool.acquire() as conn:
        assert await books.enter(conn, claim)
        await completing.fail(
            conn, claim, "no_image", claims.completion("no_image", cost=1_234), claims.URL
        )
    assert await books.used(pool) == [(1_234, 0)]
    await books.check(pool)


async def test_kills_in_mid_call_keep_the_books_and_the_limit(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """A killed worker's call counts as spent, so the calls made never pass what was allowed."""
    until = asyncio.Event()
    upstream.script = [hanging(until), hanging(until)]
    async with pool.acquire() as conn:
        await budgeting.put(conn, "global", "day", 3 * PRICE, 0.8)
    async with processes.work(where, upstream.url) as victim:
        await books.queued(pool, 4)

        async def calling() -> bool:
            return len(upstream.calls) == 3  # two hang, the third is answered

        await driving.until(calling, "three calls are made")
        await books.check(pool)
        victim.kill()
        await victim.wait()
    await books.check(pool)

    async def waiting() -> bool:
        # The budget is used up, so whatever is not done waits for it; the lost calls are closed.
        rows = await pool.fetch("SELECT waiting_for FROM uploads WHERE state <> 'done'")
        return all(row["waiting_for"] == "budget" for row in rows) and not (
            await pool.fetchval("SELECT count(*) FROM attempts WHERE finished_at IS NULL")
        )

    async with processes.work(where, upstream.url):
        await driving.until(waiting, "all others wait for the budget")
        await books.check(pool)
        assert await books.used(pool) == [(3 * PRICE, 0)]
        assert len(upstream.calls) == 3
        async with pool.acquire() as conn:
            assert await budgeting.remove(conn, "global", "day") is not None

        async def done() -> bool:
            return bool(await pool.fetchval("SELECT bool_and(state = 'done') FROM uploads"))

        await driving.until(done, "all are done without the budget")
    until.set()
    await books.check(owner)


async def test_days_and_months_are_utc_whatever_the_session_says(owner: Owner) -> None:
    """A session in another time zone writes into the same rows."""
    await owner.execute("SET timezone = 'Pacific/Auckland'")
    await books.write(owner, [Call(books.NOON.replace(hour=23), "described", PRICE)])
    rows = await owner.fetch("SELECT DISTINCT period, starts_on FROM spending ORDER BY period")
    assert [(row["period"], str(row["starts_on"])) for row in rows] == [
        ("day", "2026-03-31"),
        ("month", "2026-03-01"),
    ]
    await books.check(owner)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE spending SET spent_microusd = 0",
        "INSERT INTO spending VALUES ('global', 'day', '2026-01-01', 0, 0)",
        "DELETE FROM spending",
        "DELETE FROM budget_notices",
        "UPDATE budget_notices SET kind = 'spent'",
        "UPDATE attempts SET price_version = 'mine'",
        "UPDATE attempts SET reserved_microusd = 0",
    ],
)
async def test_the_application_cannot_cook_the_books(statement: str, pool: Pool) -> None:
    """Only the ledger's trigger moves money; the application's role has no right to."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


async def test_an_old_ledger_is_brought_into_the_books(owner: Owner) -> None:
    """The migration sums up what was there, so that calls under way can still be completed."""
    ours = migrations.read(resources.folder("migrations"))
    (budgets,) = [one for one in ours if one.name == "0002_add_budgets.sql"]
    await books.write(
        owner,
        [
            Call(books.NOON, "described", PRICE, platform="club"),
            Call(books.NOON, None, None),
            Call(books.NOON.replace(month=4, day=2), "refused", 0),
        ],
    )
    before = await owner.fetch("SELECT * FROM spending ORDER BY 1, 2, 3")
    await owner.execute(
        """
        DROP TABLE budgets, spending, budget_notices;
        DROP FUNCTION keep_spending() CASCADE;
        DROP INDEX attempts_started;
        ALTER TABLE attempts DROP COLUMN price_version;
        """
    )
    await owner.execute(budgets.sql)
    await books.check(owner)
    after = await owner.fetch(
        "SELECT * FROM spending WHERE spent_microusd + reserved_microusd > 0 ORDER BY 1, 2, 3"
    )
    assert after == before
    await owner.execute(
        """
        UPDATE attempts SET outcome = 'lost', charged = true, cost_microusd = reserved_microusd,
               finished_at = now() WHERE finished_at IS NULL
        """
    )
    await books.check(owner)


async def test_code_before_budgets_goes_on(pool: Pool) -> None:
    """A worker of the release before enters attempts in its own words, and they are counted."""
    claim = await books.claimed(pool)
    async with pool.acquire() as conn, conn.transaction():
        received = await images.get(conn, claim.image_sha256)
        await images.keep_canonical(conn, claim.id, claim.attempt, received)
        await conn.execute(
            """
            INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                                  reserved_microusd)
            VALUES ($1, $2, 'old', 'model', $3, $4, $5)
            """,
            claim.id,
            claim.attempt,
            bytes(32),
            claim.image_sha256,
            PRICE,
        )
    assert await books.used(pool, "platform:default", "month") == [(0, PRICE)]
    await books.check(pool)


async def test_entries_and_ends_at_the_same_time_never_block_each_other(pool: Pool) -> None:
    """Tenants, rulesets, days and lost calls crossing each other end without a deadlock."""
    # A call is lost on the day of the next or before it: the ledger's clock never goes back.
    days = [books.NOON.replace(day=30), books.NOON, books.NOON.replace(month=4, day=1)]
    held = [
        await books.claimed(pool, platform=platform, ruleset=ruleset)
        for platform in ("club", "shop", "default")
        for ruleset in ("privacy", "community")
        for _ in range(4)
    ]

    async def one(index: int) -> None:
        claim = held[index]
        async with pool.acquire() as conn:
            await books.enter(conn, claim, now=days[index % 3])
            if index % 2:
                await conn.execute("UPDATE uploads SET due_at = now() WHERE id = $1", claim.id)
                again = dataclasses.replace(claim, attempt=claim.attempt + 1)
                taken = "UPDATE uploads SET attempt = attempt + 1 WHERE id = $1"
                await conn.execute(taken, claim.id)
                assert await books.enter(conn, again, now=days[min(index % 3 + 1, 2)])
                claim = again
            await claims.succeed(conn, claim)

    await asyncio.gather(*map(one, range(len(held))))
    assert sum(spent for spent, _ in await books.used(pool, period="month")) == 36 * PRICE
    await books.check(pool)
