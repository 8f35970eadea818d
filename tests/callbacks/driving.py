"""Endpoints and callbacks as they come to be, and waiting for what becomes of them."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
from standardwebhooks import Webhook

from service import callbacks, ids, subscribing
from service.store import Conn
from service.store import callbacks as outbox
from service.subscribing import Subscribed
from tests.callbacks.receivers import Received
from tests.web import ended
from tests.web.ended import Ended

HOSTS = ("127.0.0.1",)


async def subscribe(conn: Conn, url: str, platform: str = "default") -> Subscribed:
    """Add an endpoint for all events of a platform, which is made where it is new."""
    await conn.execute("INSERT INTO platforms (name) VALUES ($1) ON CONFLICT DO NOTHING", platform)
    return await subscribing.add(conn, "test", platform, url, None, HOSTS)


async def tell(conn: Conn, platform: str = "default", state: str = "done") -> UUID:
    """End an upload and write its callback; give the callback's id."""
    outcome = {"done": "clean", "failed": "refused"}[state]
    upload = await ended.add(conn, Ended(outcome, state=state, platform=platform))
    callback = ids.uuid7()
    said = callbacks.Ended(
        upload_id=upload,
        platform=platform,
        external_id="ü-1",
        ruleset="privacy",
        version=1,
        state=state,
        outcome=outcome,
        verdict="hold",
        severity=0,
        rules=(),
    )
    at = await conn.fetchval("SELECT now()")
    body = callbacks.body(said, at, "https://example.org")
    await outbox.add(conn, callback, upload, callbacks.EVENTS[state], body)
    return callback


async def states(conn: Conn) -> list[str]:
    """Read the states of all jobs."""
    return [row["state"] for row in await conn.fetch("SELECT state FROM delivery_jobs")]


async def tries(conn: Conn, number: int) -> list[asyncpg.Record]:
    """Wait until so many tries have ended, and give them in order."""
    async with asyncio.timeout(20):
        while True:
            rows = await conn.fetch(
                "SELECT * FROM deliveries WHERE finished_at IS NOT NULL ORDER BY finished_at"
            )
            if len(rows) >= number:
                return rows
            await asyncio.sleep(0.01)


async def make_due(conn: Conn) -> None:
    """Let every wait of the schedule be over."""
    await conn.execute("UPDATE delivery_jobs SET due_at = now() WHERE state = 'waiting'")
    await conn.execute("SELECT pg_notify('callbacks_due', '')")


async def wait_s(conn: Conn) -> float:
    """Tell the seconds from the end of the last try to the next."""
    return float(
        await conn.fetchval(
            """
            SELECT extract(epoch FROM max(j.due_at) - max(d.finished_at))
              FROM delivery_jobs AS j JOIN deliveries AS d USING (callback_id, endpoint)
            """
        )
    )


def check_signed(secret: str | None, received: Received) -> dict[str, Any]:
    """Verify with the library of Standard Webhooks' authors, and give the message."""
    assert secret is not None
    message: dict[str, Any] = Webhook(secret).verify(received.body, received.headers)
    return message
