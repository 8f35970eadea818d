"""Who waits for another's result is ended or worked on, whatever became of the other, and when."""

import asyncio

import asyncpg
import pytest

from service import completing, reusing
from service.pictures.pool import Decoders
from service.store import Pool, uploads
from service.store import reuse as store
from service.store.database import Database
from tests import reuse
from tests.conftest import configured
from tests.flows import claims, driving
from tests.flows.driving import Owner
from tests.upstream import Upstream

FAILURES = (
    *("no_image", "no_description", "invalid_description"),
    *("unfaithful_edit", "exhausted", "unreadable"),
)


@pytest.mark.parametrize("outcome", FAILURES)
async def test_after_a_failure_one_follower_is_worked_on(
    outcome: str, pool: Pool, owner: Owner
) -> None:
    """The oldest is promoted, and the others go on waiting, now for that one."""
    claim = await reuse.claimed(pool)
    oldest, *others = await reuse.several(pool, 3)
    await reuse.fail(pool, claim, outcome)

    assert await reuse.settle(pool) == 0

    async with pool.acquire() as conn:
        (next_claim,) = await uploads.claim(conn, 9, claims.MINUTE)
        assert next_claim.id == oldest
        await claims.entered(conn, next_claim)
        await claims.succeed(conn, next_claim)
    assert await reuse.settle(pool) == len(others)
    rows = [await driving.row(owner, upload) for upload in (claim.id, oldest, *others)]
    assert [row["reused_from"] for row in rows] == [None, None, oldest, oldest]
    await reuse.check_told_once(owner)


async def test_a_promoted_follower_costs_one_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """Workers themselves promote it, work on it, and end the others with its result."""
    claim = await reuse.claimed(pool)
    followers = await reuse.several(pool, 3)
    await reuse.fail(pool, claim, "exhausted")
    async with driving.worker(pool, where, decoders, configured(upstream.url)):
        for upload in followers:
            await reuse.settled(pool, upload)

    assert await reuse.ends(owner) == {
        ("failed", "exhausted", False): 1,
        ("done", "clean", False): 1,
        ("done", "clean", True): 2,
    }
    assert len(upstream.calls) == 1
    await reuse.check_told_once(owner)


async def test_when_the_first_is_deleted_a_follower_is_worked_on(pool: Pool, owner: Owner) -> None:
    """A result that is gone before it could be copied is made anew."""
    claim = await reuse.claimed(pool)
    (follower,) = await reuse.several(pool, 1)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
    await reuse.delete(owner, claim.id)

    assert await reuse.settle(pool) == 0
    assert (await driving.row(owner, follower))["leads"]


async def test_followers_that_no_worker_may_claim(pool: Pool, owner: Owner) -> None:
    """A follower is never claimed, however late; raising a budget does not wake it either."""
    claim = await reuse.claimed(pool)
    (follower,) = await reuse.several(pool, 1)
    async with pool.acquire() as conn:
        await uploads.wake_budget(conn, "global")
        await uploads.wake_upstream(conn)
        later = await owner.fetchval("SELECT now() + interval '100 years'")
        assert {one.id for one in await uploads.claim(conn, 9, claims.MINUTE, now=later)} == {
            claim.id
        }
    assert (await driving.row(owner, follower))["state"] == "queued"


async def test_one_that_begins_to_follow_while_the_first_ends(pool: Pool, owner: Owner) -> None:
    """Committed after the first one's end, which it has not seen, it is found all the same."""
    claim = await reuse.claimed(pool)
    async with pool.acquire() as late, pool.acquire() as conn:
        async with late.transaction():
            upload, follows = await reuse.again(late)
            assert follows
            await reusing.settle_new(late, upload, claims.URL)
            await claims.succeed(conn, claim)
            assert await reusing.settle(conn, claims.URL) == 0
        assert await reusing.settle(conn, claims.URL) == 1
    await reuse.check_told_once(owner)


async def test_one_that_is_received_while_another_is_promoted(pool: Pool, owner: Owner) -> None:
    """Of both only one leads; the follower waits for the new one and gets its result."""
    claim = await reuse.claimed(pool)
    (follower,) = await reuse.several(pool, 1)
    await reuse.fail(pool, claim, "exhausted")
    async with pool.acquire() as late, pool.acquire() as conn:
        async with late.transaction():
            upload, follows = await reuse.again(late)
            assert not follows
            promoting = asyncio.create_task(reusing.settle(conn, claims.URL))
            await driving.until(
                lambda: driving.blocked(owner), "the promotion waits for the new one"
            )
        assert await promoting == 0
    assert (await driving.row(owner, follower))["waiting_for"] == "reuse"

    async with pool.acquire() as conn:
        (again,) = await uploads.claim(conn, 9, claims.MINUTE)
        assert again.id == upload
        await completing.fail(conn, again, "refused", None, claims.URL)
    assert await reuse.settle(pool) == 1


async def test_requests_at_once_have_one_that_leads(pool: Pool, owner: Owner) -> None:
    """Of thirty transactions in which the picture is new, one queues it and the others wait."""
    await asyncio.gather(*(driving.queued(pool) for _ in range(30)))

    assert await reuse.waiting(owner) == 29
    assert await owner.fetchval("SELECT count(*) FROM uploads WHERE leads") == 1


async def test_thousands_are_ended_in_small_transactions(pool: Pool, owner: Owner) -> None:
    """Several workers at once end each follower once, no transaction more than a batch."""
    claim = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        for _ in range(1050):
            await reuse.follower(conn)
        await claims.succeed(conn, claim)
    assert await reuse.waiting(owner) == 1050

    ended = await asyncio.gather(*(reuse.settle(pool) for _ in range(4)))

    assert sum(ended) + await reuse.settle(pool) == 1050
    sizes = await owner.fetch(
        "SELECT count(*) AS n FROM uploads WHERE reused_from IS NOT NULL GROUP BY xmin"
    )
    assert max(row["n"] for row in sizes) <= reusing.BATCH
    await reuse.check_told_once(owner)


async def test_nothing_is_half_copied(pool: Pool, owner: Owner) -> None:
    """Where the callback cannot be written, the upload still waits; later it ends whole."""
    claim = await reuse.claimed(pool)
    await reuse.several(pool, 2)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
    await owner.execute("ALTER TABLE callbacks ADD CONSTRAINT full_up CHECK (false) NOT VALID")
    with pytest.raises(asyncpg.CheckViolationError):
        await reuse.settle(pool)
    assert await reuse.waiting(owner) == 2
    assert await owner.fetchval("SELECT count(*) FROM records") == 1

    await owner.execute("ALTER TABLE callbacks DROP CONSTRAINT full_up")
    assert await reuse.settle(pool) == 2
    await reuse.check_told_once(owner)


async def test_a_look_at_all_who_wait_reads_no_others(pool: Pool, owner: Owner) -> None:
    """It is taken each second, so it must not grow with the uploads that have ended."""
    await reuse.claimed(pool)
    await owner.execute("SET enable_seqscan = off; SET enable_sort = off")
    for statement, values in ((store._PROMOTE, ()), (store._COPY_ANY, (reusing.BATCH,))):
        plan = await owner.fetch(f"EXPLAIN {statement}", *values)
        text = "\n".join(row[0] for row in plan)
        assert "uploads_leading" in text
        assert "uploads_following on uploads f" in text or "uploads_waiting" in text
        assert "Seq Scan on uploads" not in text
