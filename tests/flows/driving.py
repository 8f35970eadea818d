"""Driving uploads to their end without waiting: what the tests of the flows share."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from aiohttp import web

from service.attempting import Attempting
from service.edits import Upstream as Configured
from service.edits import outcomes
from service.edits.client import EditsClient
from service.intake import Accepted, Intake, Received
from service.looking import BLIND, Detectors
from service.pictures import headers
from service.pictures.pool import Decoders
from service.store import Conn, Pool, platforms
from service.store.database import Database
from service.worker import Pace, Worker
from tests import draw
from tests.conftest import PRICE
from tests.upstream import Answer, Call

Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
LEASE = timedelta(seconds=4)
PUBLIC_URL = "https://example.org"
DEADLINE_S = 60.0
TEAL = draw.png(64, 48, "teal")


async def queued(
    pool: Pool,
    image: bytes = TEAL,
    external_id: str | None = None,
    ruleset: str | None = None,
    platform: str = "default",
) -> UUID:
    """Commit an upload as the API does, and give its id."""
    async with pool.acquire() as conn:
        await platforms.add(conn, platform)
    intake = Intake(pool, headers.Limits(), "privacy", PUBLIC_URL)
    received = Received(image, ruleset, external_id, {})
    accepted = await intake.accept(platform, received, key=None, answer=lambda _: "")
    assert isinstance(accepted, Accepted)
    return accepted.upload.id


@contextlib.asynccontextmanager
async def worker(
    pool: Pool,
    where: Database,
    decoders: Decoders,
    *upstreams: Configured,
    lease: timedelta = LEASE,
    grace_s: float = 5.0,
    concurrency: int = 8,
    detectors: Detectors = BLIND,
) -> AsyncIterator[asyncio.Event]:
    """Run a worker against these upstreams; the value tells it to stop."""
    stop = asyncio.Event()
    async with EditsClient() as client:
        attempting = Attempting(pool, decoders, client, upstreams, PUBLIC_URL, detectors=detectors)
        run = Worker(pool, where, attempting, Pace(concurrency, lease, grace_s)).run(stop)
        task = asyncio.create_task(run)
        try:
            yield stop
        finally:
            stop.set()
            await task


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until it holds; fail after the deadline."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await holds():  # the database sets no event of ours
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        raise AssertionError(f"not within {DEADLINE_S:g} s: {what}") from error


async def hurry(conn: Conn) -> None:
    """Make whatever waits for another try due now and wake the workers; limits stay as they are."""
    # A worker may be waking the same ones, in another order.
    due = await conn.fetch(
        """
        UPDATE uploads SET due_at = now()
         WHERE id IN (SELECT id FROM uploads
                       WHERE state = 'queued' AND due_at > now() AND due_at < 'infinity'
                         FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING id
        """
    )
    if due:
        await conn.execute("SELECT pg_notify('uploads_due', '')")


async def forgive(conn: Conn) -> None:
    """Forget what was learnt of the upstreams, so that none is waited for, then hurry."""
    await conn.execute(
        """
        UPDATE upstreams
           SET failures = 0, down_since = NULL, down_reason = NULL, probe_at = NULL,
               next_at = now(), slowed_to = NULL, slowed_at = NULL
         WHERE failures > 0 OR down_since IS NOT NULL OR slowed_at IS NOT NULL OR next_at > now()
        """
    )
    await hurry(conn)


async def ended(
    owner: Owner, *uploads: UUID, press: Callable[[Conn], Awaitable[None]] = hurry
) -> list[asyncpg.Record]:
    """Hurry these uploads (or ``forgive``) until each is done or failed; give their rows."""

    async def all_ended() -> bool:
        await press(owner)
        return not await owner.fetchval(
            "SELECT count(*) FROM uploads WHERE id = ANY ($1) AND state IN ('queued', 'working')",
            list(uploads),
        )

    await until(all_ended, "every upload has ended")
    return [await row(owner, upload) for upload in uploads]


async def each_ended(
    pool: Pool, owner: Owner, names: Mapping[str, object]
) -> dict[str, asyncpg.Record]:
    """Queue one picture for each name, wait for all of them at once, and give name to row."""
    uploads = [await queued(pool, draw.png(index, 8, "red")) for index in range(1, len(names) + 1)]
    return dict(zip(names, await ended(owner, *uploads), strict=True))


async def blocked(owner: Owner) -> bool:
    """Tell whether a statement waits for another transaction."""
    return bool(
        await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )
    )


def name_of(call: Call, names: Mapping[str, object]) -> str:
    """Tell for which name a picture of ``each_ended`` was sent: its width is the name's number."""
    return list(names)[int.from_bytes(call.image[16:20]) - 1]


def by_picture(answers: Mapping[str, Answer]) -> Answer:
    """Answer each picture of ``each_ended`` in its own way."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return await answers[name_of(call, answers)](call, request)

    return answer


async def row(conn: Conn, upload: UUID) -> asyncpg.Record:
    """Read an upload's own row."""
    found = await conn.fetchrow("SELECT * FROM uploads WHERE id = $1", upload)
    assert found is not None
    return found


async def attempts_of(conn: Conn, upload: UUID) -> list[asyncpg.Record]:
    """Read the upload's rows of the ledger, in order."""
    return await conn.fetch("SELECT * FROM attempts WHERE upload_id = $1 ORDER BY attempt", upload)


async def check_ledger(conn: Conn, upload: UUID, ended_as: list[str]) -> None:
    """Check the upload's attempts: how they ended, what they cost, and the picture they sent."""
    subject, attempts = await row(conn, upload), await attempts_of(conn, upload)
    assert [one["outcome"] for one in attempts] == ended_as
    for one in attempts:
        rule = outcomes.TABLE[one["outcome"]]
        assert one["reserved_microusd"] == PRICE
        assert one["cost_microusd"] == (PRICE if rule.paid else 0)
        assert one["charged"] == rule.charged
        assert one["finished_at"] >= one["started_at"]
        assert one["sent_sha256"] == subject["canonical_sha256"]


async def message_of(conn: Conn, upload: UUID) -> dict[str, Any]:
    """Read the one terminal callback, and check that it says what the row says."""
    (told,) = await conn.fetch("SELECT type, body FROM callbacks WHERE upload_id = $1", upload)
    body: dict[str, Any] = json.loads(told["body"])
    subject = await row(conn, upload)
    names = ("state", "outcome", "verdict", "platform", "external_id")
    assert {name: body["data"][name] for name in names} == {name: subject[name] for name in names}
    assert body["data"]["id"] == str(upload)
    assert body["data"]["ruleset"] == {"name": subject["ruleset"], "version": subject["version"]}
    assert body["type"] == told["type"]
    assert told["type"] == {"done": "upload.described", "failed": "upload.failed"}[subject["state"]]
    assert body["timestamp"] == subject["finished_at"].isoformat().replace("+00:00", "Z")
    return body
