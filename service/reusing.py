"""How uploads that wait for another's result come to their end, or to be worked on."""

from uuid import UUID

import asyncpg

from service import callbacks, completing
from service.store import Conn, Row, reuse

# Thousands may wait for one upload: no transaction ends more of them than this.
BATCH = 100


async def settle(conn: Conn, public_url: str) -> int:
    """
    End the followers of uploads that have ended; where one failed, let a follower be worked on.

    Whatever stops it half way, or ends an upload without it, the next call goes on from there.

    Returns:
        How many were ended.
    """
    await _promote(conn)
    ended = 0
    while True:
        async with conn.transaction():
            rows = await reuse.copy(conn, BATCH)
            for row in rows:
                await _tell(conn, row, public_url)
        ended += len(rows)
        if len(rows) < BATCH:
            return ended


async def settle_new(conn: Conn, upload: UUID, public_url: str) -> None:
    """In the transaction that adds a follower: end it too, if the one it follows has ended."""
    row = await reuse.copy_to(conn, upload)
    if row is not None:
        await _tell(conn, row, public_url)


async def _promote(conn: Conn) -> None:
    try:
        while await reuse.promote(conn):
            pass
    except asyncpg.UniqueViolationError:
        # An upload that was just received leads them now; others wait for the next call.
        return


async def _tell(conn: Conn, row: Row, public_url: str) -> None:
    ended = callbacks.Ended(
        upload_id=row["id"],
        platform=row["platform"],
        external_id=row["external_id"],
        ruleset=row["ruleset"],
        version=row["version"],
        state=row["state"],
        outcome=row["outcome"],
        verdict=row["verdict"],
        severity=row["severity"] or 0,
        rules=tuple(row["rules"] or ()),
    )
    await completing.tell(conn, ended, public_url)
