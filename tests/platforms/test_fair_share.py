"""Platforms take turns at being worked on, however many uploads one of them has queued."""

import asyncio
import re
from datetime import timedelta

import asyncpg

from service.store import Conn, Pool, uploads

MINUTE = timedelta(minutes=1)
FLOOD = 10_000
_IMAGE = """
    INSERT INTO images (sha256, mime, width, height, data)
    VALUES (sha256('picture'), 'image/png', 1, 1, 'picture') ON CONFLICT DO NOTHING
"""
_FILL = """
    INSERT INTO uploads (id, platform, image_sha256, ruleset, version, due_at)
    SELECT gen_random_uuid(), $1, sha256('picture'), 'privacy', 1,
           now() - make_interval(secs => $3) + n * interval '1 microsecond'
      FROM generate_series(1, $2::integer) AS n
"""


async def fill(owner: Conn, platform: str, count: int = 1, due_s_ago: float = 0) -> None:
    """Queue so many uploads of a platform, the first of them due so long ago."""
    await owner.execute("INSERT INTO platforms (name) VALUES ($1) ON CONFLICT DO NOTHING", platform)
    await owner.execute(_IMAGE)
    await owner.execute(_FILL, platform, count, due_s_ago)


async def claimed(pool: Pool, limit: int) -> list[str]:
    """Claim, and tell whose uploads were given out, in order."""
    async with pool.acquire() as conn:
        return [one.platform for one in await uploads.claim(conn, limit, MINUTE)]


async def test_a_single_upload_passes_a_flood(pool: Pool, owner: Conn) -> None:
    """The next claim after it came has it, though ten thousand of another were due before it."""
    await fill(owner, "flood", FLOOD, due_s_ago=3600)
    assert await claimed(pool, 3) == ["flood"] * 3
    await fill(owner, "small")
    assert await claimed(pool, 1) == ["small"]
    assert await claimed(pool, 1) == ["flood"]


async def test_places_are_shared_evenly(pool: Pool, owner: Conn) -> None:
    """Of three platforms with more than enough, each has as many in flight as the others."""
    for platform, due_s_ago in (("a", 3), ("b", 2), ("c", 1)):
        await fill(owner, platform, 50, due_s_ago)
    shares = [await claimed(pool, 1) for _ in range(9)]
    assert sorted(one for share in shares for one in share) == list("aaabbbccc")
    assert await claimed(pool, 3) == ["a", "b", "c"]


async def test_what_nobody_else_wants_is_given_to_the_flood(pool: Pool, owner: Conn) -> None:
    """A platform alone gets every place, the one due longest first."""
    await fill(owner, "flood", 30, due_s_ago=10)
    await fill(owner, "small", 2)
    assert sorted(await claimed(pool, 20)) == ["flood"] * 18 + ["small"] * 2
    due = await owner.fetchval(
        "SELECT min(w.due_at) > min(q.due_at) FROM uploads AS w, uploads AS q "
        "WHERE w.state = 'queued' AND q.state = 'queued' AND w.platform = 'small'"
    )
    assert not due


async def test_a_dead_workers_leases_do_not_count_against_a_platform(
    pool: Pool, owner: Conn
) -> None:
    """What ran out is in flight no longer, and comes due in its platform's own order."""
    await fill(owner, "crashed", 5, due_s_ago=60)
    assert await claimed(pool, 4) == ["crashed"] * 4
    await fill(owner, "other", 5, due_s_ago=30)
    await owner.execute(
        "UPDATE uploads SET due_at = now() - interval '1 s' WHERE state = 'working'"
    )
    assert await claimed(pool, 2) == ["crashed", "other"]


async def test_what_others_hold_is_stepped_over(pool: Pool, owner: Conn) -> None:
    """Workers that claim at the same moment share no upload and none comes away with nothing."""
    await fill(owner, "flood", 60)
    async with pool.acquire() as one, pool.acquire() as two, pool.acquire() as three:
        connections = (one, two, three)
        transactions = [conn.transaction() for conn in connections]
        await asyncio.gather(*(transaction.start() for transaction in transactions))
        shares = [await uploads.claim(conn, 20, MINUTE) for conn in connections]
        await asyncio.gather(*(transaction.commit() for transaction in transactions))
    assert [len(share) for share in shares] == [20, 20, 20]
    assert len({claim.id for share in shares for claim in share}) == 60


async def plan(conn: "asyncpg.Connection[asyncpg.Record]", mode: str) -> str:
    """Run a claim of ten under EXPLAIN, with this plan_cache_mode."""
    await conn.execute(f"SET plan_cache_mode = {mode}")
    await conn.execute(f"PREPARE claim (bigint, interval, timestamptz, uuid) AS {uploads._CLAIM}")
    rows = await conn.fetch("EXPLAIN (ANALYZE, BUFFERS) EXECUTE claim (10, '1 minute', NULL, NULL)")
    await conn.execute("DEALLOCATE claim")
    return "\n".join(row[0] for row in rows)


async def test_claiming_reads_no_more_than_it_gives(
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """With a flood queued, a claim scans no table and reads a few hundred pages, planned or not."""
    await fill(owner, "flood", FLOOD)
    await fill(owner, "small")
    await owner.execute("ANALYZE uploads")
    for mode in ("force_custom_plan", "force_generic_plan"):
        text = await plan(owner, mode)
        assert "Seq Scan on uploads" not in text, text
        assert "using uploads_platform_due" in text, text
        pages = re.search(r"Buffers: shared hit=(\d+)", text)
        assert pages is not None
        assert int(pages[1]) < 300, text
