"""Retention: what has been kept for long enough is deleted, a little at a time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from service import erasing, log
from service.store import Conn, Pool, erasures
from service.store.database import UNREACHABLE
from service.store.erasures import Kind

ACTOR: Final = "retention"
POLL_S: Final = 60.0
# After so many it is told in the log, and others get their turn.
BATCH: Final = 100
# A repeated key is answered like the first one for so long; promised is a day.
KEYS_KEPT: Final = timedelta(days=7)
# An event that is told of again becomes no second upload for so long, and tries can be read.
TOLD_KEPT: Final = timedelta(days=30)
ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Keeping:
    """
    How long uploads that have ended are kept, from their end or decision on; None for ever.

    Attributes:
        allowed: Those that may be published.
        decided: Those that a person blocked.
        waiting: Those that wait for a person; None until they are decided.
    """

    allowed: timedelta | None = None
    decided: timedelta | None = None
    waiting: timedelta | None = None

    @property
    def kinds(self) -> Mapping[Kind, timedelta]:
        """The kinds of which some are to be deleted."""
        kinds: dict[Kind, timedelta | None] = {
            "allowed": self.allowed,
            "decided": self.decided,
            "waiting": self.waiting,
        }
        return {kind: kept for kind, kept in kinds.items() if kept is not None}


async def run(pool: Pool, keeping: Keeping, stop: asyncio.Event) -> None:
    """Delete what is due each minute until ``stop`` is set; any number of processes may."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            try:
                async with pool.acquire() as conn:
                    while await tidy(conn, keeping) and not stop.is_set():
                        pass
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                log.get().warning("retention_put_off", reason=str(error))
            await asyncio.wait((stopped,), timeout=POLL_S)
    finally:
        stopped.cancel()


async def tidy(conn: Conn, keeping: Keeping, *, now: datetime | None = None) -> int:
    """
    Delete up to ``BATCH`` uploads of each kind, and forget old keys, events and tries.

    Returns:
        How much went; 0 when nothing more is due.
    """
    left = await erasures.unfinished(conn, BATCH)
    for upload in left:
        await erasing.finish(conn, upload)
    gone: dict[str, int] = {}
    for kind, kept in keeping.kinds.items():
        gone[kind] = await _delete(conn, kind, kept, now=now)
    gone["keys"] = await erasures.forget_keys(conn, KEYS_KEPT, ROWS, now=now)
    gone["told"] = await erasures.forget_told(conn, TOLD_KEPT, ROWS, now=now)
    if total := len(left) + sum(gone.values()):
        log.get().info("retention_applied", unfinished=len(left), **gone)
    return total


async def _delete(conn: Conn, kind: Kind, kept: timedelta, *, now: datetime | None) -> int:
    """Delete uploads of one kind, each in a transaction of its own, so that nobody waits long."""
    for count in range(BATCH):
        async with conn.transaction():
            upload = await erasures.hold_due(conn, kind, kept, now=now)
            if upload is None:
                return count
            await erasures.erase(conn, upload, None, ACTOR)
        await erasing.finish(conn, upload)
    return BATCH
