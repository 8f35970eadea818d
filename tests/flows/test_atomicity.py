"""Transaction 2 is whole or absent, wherever it breaks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.store import Pool, uploads
from service.store.database import UNREACHABLE, Database, speak_json
from tests.flows import claims, cutting, driving
from tests.flows.driving import Owner

# Every statement of transaction 2, in order; a new one has to be added here, and is then covered.
STATEMENTS = (
    "BEGIN",
    "UPDATE uploads",
    "INSERT INTO images",
    "INSERT INTO records",
    "INSERT INTO proofs",
    "INSERT INTO callbacks",
    "UPDATE attempts",
    "COMMIT",
)
RAISE = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
"""
TRIGGERS = {
    "uploads": "TRIGGER planted BEFORE UPDATE ON uploads FOR EACH ROW WHEN (NEW.state = 'done')",
    "edited image": "TRIGGER planted BEFORE INSERT ON images FOR EACH ROW "
    "WHEN (position('edited' IN convert_from(NEW.data, 'UTF8')) = 1)",
    "thumbnail": "TRIGGER planted BEFORE INSERT ON images FOR EACH ROW "
    "WHEN (NEW.mime = 'image/webp')",
    "raw image": "TRIGGER planted BEFORE INSERT ON images FOR EACH ROW "
    "WHEN (position('raw' IN convert_from(NEW.data, 'UTF8')) = 1)",
    "record": "TRIGGER planted BEFORE INSERT ON records FOR EACH ROW",
    "map of change": "TRIGGER planted BEFORE INSERT ON images FOR EACH ROW "
    "WHEN (position('heat' IN convert_from(NEW.data, 'UTF8')) = 1)",
    "proof": "TRIGGER planted BEFORE INSERT ON proofs FOR EACH ROW",
    "attempt": "TRIGGER planted BEFORE UPDATE ON attempts FOR EACH ROW",
    "callback": "TRIGGER planted BEFORE INSERT ON callbacks FOR EACH ROW",
    "callback, afterwards": "TRIGGER planted AFTER INSERT ON callbacks FOR EACH ROW",
    "commit": "CONSTRAINT TRIGGER planted AFTER INSERT ON callbacks "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
}


@contextlib.asynccontextmanager
async def through(where: Database) -> AsyncIterator[tuple[cutting.Cutter, Owner]]:
    """Open one connection of the application through the proxy."""
    async with cutting.cutter(where) as (proxy, cut):
        conn = await cut.connect(name="cut")
        await speak_json(conn)
        proxy.texts.clear()
        yield proxy, conn
        conn.terminate()


async def test_every_statement_is_covered(pool: Pool, where: Database, owner: Owner) -> None:
    """What goes over the wire in transaction 2 is exactly the list that the faults run over."""
    claim = await claims.claimed(pool)
    async with through(where) as (proxy, conn):
        await claims.succeed(conn, claim)
        # Prepared statements run without their text, so what is counted is what is executed.
        sent = list(proxy.texts)
    assert len(sent) == len(STATEMENTS), sent
    for text, expected in zip(sent, STATEMENTS, strict=True):
        assert expected in " ".join(text.decode("utf-8", "replace").split())
    await claims.check_written(owner, claim.id)


async def test_lost_connection_leaves_all_or_nothing(
    pool: Pool, where: Database, owner: Owner, subtests: pytest.Subtests
) -> None:
    """Cut at any statement nothing is there; only once COMMIT has run, everything is."""
    for index, statement in enumerate(STATEMENTS):
        for number, side in enumerate(("before", "after")):
            with subtests.test(f"{side} {statement}", index=index):
                claim = await claims.claimed(pool, width=8 + 2 * index + number)
                await check_cut(side, index, claim, pool, where, owner)


async def check_cut(
    side: str, index: int, claim: uploads.Claim, pool: Pool, where: Database, owner: Owner
) -> None:
    """Cut transaction 2 at this statement, look, and try again."""
    before = await claims.snapshot(owner, claim.id)
    async with through(where) as (proxy, conn):
        start = len(proxy.texts)

        def chosen(_: bytes) -> bool:
            return len(proxy.texts) - start - 1 == index

        setattr(proxy, side, chosen)
        with pytest.raises((*UNREACHABLE, asyncpg.PostgresError)):
            await claims.succeed(conn, claim)
        assert proxy.cuts == 1

    await _all_closed(owner)
    if (side, STATEMENTS[index]) == ("after", "COMMIT"):
        await claims.check_written(owner, claim.id)
        return
    assert await claims.snapshot(owner, claim.id) == before
    async with pool.acquire() as again:
        await claims.succeed(again, claim)
    await claims.check_written(owner, claim.id)


async def test_error_of_the_database_leaves_nothing(
    pool: Pool, owner: Owner, subtests: pytest.Subtests
) -> None:
    """Whatever write is refused, also at COMMIT itself, none is there; later all are, once."""
    for width, place in enumerate(TRIGGERS, 8):
        with subtests.test(place):
            await check_refused(place, await claims.claimed(pool, width), pool, owner)


async def check_refused(place: str, claim: uploads.Claim, pool: Pool, owner: Owner) -> None:
    """Let the database refuse this write, look, and try again."""
    before = await claims.snapshot(owner, claim.id)
    await owner.execute(f"{RAISE} CREATE {TRIGGERS[place]} EXECUTE FUNCTION fail()")
    async with pool.acquire() as conn:
        with pytest.raises(asyncpg.RaiseError, match="planted"):
            await claims.succeed(conn, claim)
    assert await claims.snapshot(owner, claim.id) == before

    await owner.execute("DROP FUNCTION fail() CASCADE")
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
    await claims.check_written(owner, claim.id)


async def test_no_reader_ever_sees_a_part(pool: Pool, owner: Owner) -> None:
    """While many uploads complete, each look from outside finds each of them whole or untouched."""
    held = [await claims.claimed(pool, width) for width in range(8, 48)]
    finished = asyncio.Event()
    looks = 0

    async def look() -> None:
        nonlocal looks
        conn = await pool.acquire()
        try:
            while not finished.is_set():
                torn = await conn.fetch(_TORN)
                assert torn == []
                looks += 1
        finally:
            await pool.release(conn)

    async def complete(some: list[uploads.Claim]) -> None:
        for claim in some:
            async with pool.acquire() as conn:
                await claims.succeed(conn, claim)

    readers = [asyncio.create_task(look()) for _ in range(3)]
    await asyncio.gather(*(complete(held[part::4]) for part in range(4)))
    finished.set()
    await asyncio.gather(*readers)
    assert looks > len(readers)
    for claim in held:
        await claims.check_written(owner, claim.id)


_TORN = """
    SELECT u.id
      FROM uploads AS u
      LEFT JOIN records AS r ON r.upload_id = u.id
      LEFT JOIN images AS e ON e.sha256 = r.edited_sha256
      LEFT JOIN images AS t ON t.sha256 = r.thumbnail_sha256
      LEFT JOIN callbacks AS c ON c.upload_id = u.id
      LEFT JOIN attempts AS a ON a.upload_id = u.id AND a.attempt = u.attempt
     WHERE (u.state = 'done') <> ALL (ARRAY[
               r.upload_id IS NOT NULL, e.sha256 IS NOT NULL, t.sha256 IS NOT NULL,
               c.id IS NOT NULL, a.finished_at IS NOT NULL, u.outcome IS NOT NULL])
        OR num_nulls(r.upload_id, e.sha256, t.sha256, c.id, a.finished_at, u.outcome)
               NOT IN (0, 6)
"""


async def _all_closed(owner: Owner) -> None:
    async def closed() -> bool:
        return not await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'moderation cut'"
        )

    await driving.until(closed, "the server has noticed that the client is gone")
