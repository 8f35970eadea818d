"""A database that goes away ends no upload, charges none, and no answer is paid for twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from aiohttp import web

from service.embedded.server import EmbeddedPostgres
from service.store import Pool
from tests import draw
from tests.flows import driving
from tests.flows.driving import Owner
from tests.upstream import SENT, Answer, Call, Upstream, described, error, items

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = $1 AND usename = 'moderation_app'
"""
BLOCKED = """
    SELECT pid FROM pg_locks WHERE relation = 'attempts'::regclass AND NOT granted
"""


@dataclass(frozen=True, slots=True)
class Administrator:
    """A superuser elsewhere on the server, who may end connections to one database."""

    conn: Owner
    database: str

    async def terminate(self) -> None:
        """End all connections of the application."""
        await self.conn.fetch(TERMINATE, self.database)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Refuse new connections and end those of the application, as a restart does."""
        await self.conn.execute(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
        await self.terminate()
        try:
            yield
        finally:
            await self.conn.execute(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


@pytest.fixture
async def administrator(postgres: EmbeddedPostgres, owner: Owner) -> AsyncIterator[Administrator]:
    """A superuser's connection to another database."""
    conn = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    yield Administrator(conn, await owner.fetchval("SELECT current_database()"))
    await conn.close()


ANSWERS: dict[str, tuple[Answer, int, str]] = {
    "description": (described(), 1, "clean"),
    "refusal": (error(400, "moderation_blocked"), 1, "refused"),
    "no text": (items({"b64_json": SENT}), 2, "no_description"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answer_in_hand_is_written_after_the_outage(
    name: str,
    pool: Pool,
    owner: Owner,
    administrator: Administrator,
    upstream: Upstream,
    working: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The answer that arrives while the database is away is written later, not paid again."""
    assert working
    answer, calls, outcome = ANSWERS[name]
    arrived, until = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def waits(call: Call, request: web.Request) -> web.StreamResponse:
        arrived.set()
        await until.wait()
        return await answer(call, request)

    upstream.script = [waits, *[answer] * 5]
    upload = await driving.queued(pool)
    await arrived.wait()
    async with administrator.outage():
        until.set()

        async def failed() -> bool:
            seen.append(capsys.readouterr().err)
            return "write_retried" in "".join(seen)

        await driving.until(failed, "the answer's first write has failed")
    (row,) = await driving.ended(owner, upload)

    assert row["outcome"] == outcome
    assert len(upstream.calls) == calls
    ledger = await driving.attempts_of(owner, upload)
    assert len(ledger) == row["charges"] == calls
    await driving.message_of(owner, upload)


async def test_connection_ended_before_the_call_is_not_charged(
    pool: Pool, owner: Owner, administrator: Administrator, upstream: Upstream, working: object
) -> None:
    """An attempt that the database ended is given back uncharged, however often that happens."""
    assert working
    held = owner.transaction()
    await held.start()
    await owner.execute("LOCK TABLE attempts IN EXCLUSIVE MODE")
    upload = await driving.queued(pool)
    for _ in range(2):

        async def blocked() -> bool:
            return bool(await pool.fetch(BLOCKED))

        await driving.until(blocked, "the attempt waits to be entered")
        for row in await pool.fetch(BLOCKED):
            await administrator.conn.execute("SELECT pg_terminate_backend($1)", row["pid"])

        async def released() -> bool:
            row = await driving.row(owner, upload)
            return bool(row["state"] == "queued" and row["charges"] == 0)

        await driving.until(released, "the upload was given back uncharged")
        async with pool.acquire() as conn:
            await driving.hurry(conn)
    await held.rollback()
    (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["charges"]) == ("done", 1)
    assert len(upstream.calls) == 1


async def test_outages_end_no_upload(
    pool: Pool, owner: Owner, administrator: Administrator, upstream: Upstream, working: object
) -> None:
    """With connections ended again and again, each upload is done once all the same."""
    assert working
    uploads = [await driving.queued(pool, draw.png(8 + n, 8, "red")) for n in range(10)]

    async def some_done(count: int) -> None:
        async def reached() -> bool:
            await driving.hurry(owner)
            done = await owner.fetchval("SELECT count(*) FROM uploads WHERE state = 'done'")
            return bool(done >= count)

        await driving.until(reached, f"{count} uploads are done")

    for count in (1, 4, 7):
        await some_done(count)
        await administrator.terminate()
    rows = await driving.ended(owner, *uploads)
    assert [row["state"] for row in rows] == ["done"] * 10
    attempts = [one for upload in uploads for one in await driving.attempts_of(owner, upload)]
    assert [one["outcome"] for one in attempts].count("described") == 10, attempts
    # An attempt whose entry was committed and not acknowledged is closed without a call.
    assert 10 <= len(upstream.calls) <= len(attempts)
    assert await owner.fetchval("SELECT count(*) FROM records") == 10
    for upload in uploads:
        await driving.message_of(owner, upload)


async def test_upload_that_the_database_always_refuses_ends(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """What fails each time for a reason of its own is charged, and ends; its neighbours flow."""
    assert working
    await owner.execute("""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
    """)
    held = owner.transaction()
    await held.start()
    # No attempt is entered before the poison is known.
    await owner.execute("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
    poison = await driving.queued(pool, draw.png(8, 8, "red"))
    other = await driving.queued(pool, draw.png(9, 9, "red"))
    await owner.execute(f"""
        CREATE TRIGGER planted BEFORE INSERT ON attempts FOR EACH ROW
          WHEN (NEW.upload_id = '{poison}') EXECUTE FUNCTION fail();
    """)
    await held.commit()
    rows = await driving.ended(owner, poison, other)
    assert [row["outcome"] for row in rows] == ["exhausted", "clean"]
    assert (rows[0]["state"], rows[0]["verdict"]) == ("failed", "hold")
    assert len(upstream.calls) == 1
    await driving.message_of(owner, poison)
