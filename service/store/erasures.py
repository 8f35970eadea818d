"""Deleting uploads whole, by the functions that alone may: see migrations/0017_add_erasure.sql."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from service.store import Conn
from service.store.platforms import GOLDEN

Kind = Literal["allowed", "decided", "waiting"]

_ERASE = "SELECT erase_upload($1, $2, $3)"
_UNFINISHED = "SELECT upload_id FROM erasures ORDER BY at LIMIT $1"
_IMAGES = "SELECT images FROM erasures WHERE upload_id = $1"
_FORGET_IMAGE = "SELECT forget_image($1)"
_FINISHED = "DELETE FROM erasures WHERE upload_id = $1"
# Each is written so that an index of cases gives the oldest first.  What waits for a person is what
# queues have: held or blocked and not decided, or escalated.
_KINDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "allowed": (
        "c.verdict = 'allow' AND c.decision IS DISTINCT FROM 'escalate'",
        "c.verdict = 'allow_edited' AND c.decision IS DISTINCT FROM 'escalate'",
    ),
    "decided": ("c.decision = 'block'",),
    "waiting": (
        "c.decision IS NULL AND c.verdict IN ('hold', 'block')",
        "c.decision = 'escalate'",
    ),
}
# Whoever looks at a case, or may still undo what he decided of it, is not disturbed.
_HOLD_DUE = f"""
    SELECT u.id
      FROM cases AS c JOIN uploads AS u ON u.id = c.upload_id
     WHERE {{which}} AND c.platform <> '{GOLDEN}'
       AND c.received_at < coalesce($2::timestamptz, now()) - $1::interval
       AND greatest(c.finished_at, c.decided_at) < coalesce($2::timestamptz, now()) - $1::interval
       AND NOT EXISTS (SELECT FROM leases AS l
                        WHERE l.upload_id = c.upload_id AND l.until > now())
       AND NOT EXISTS (SELECT FROM decisions AS d
                        WHERE d.upload_id = c.upload_id
                          AND d.undone_at IS NULL AND d.applied_at IS NULL)
     ORDER BY c.received_at, c.upload_id
     LIMIT 1
       FOR UPDATE OF u SKIP LOCKED
"""  # noqa: S608  # constants of ours
_FORGET_KEYS = """
    DELETE FROM idempotency_keys
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys
                              WHERE created_at < coalesce($3::timestamptz, now()) - $1::interval
                              LIMIT $2 FOR UPDATE SKIP LOCKED))
 RETURNING 1
"""
_FORGET_TOLD = "SELECT forget_told(coalesce($3::timestamptz, now()) - $1::interval, $2)"


async def erase(conn: Conn, upload: UUID, platform: str | None, actor: str) -> str | None:
    """
    Delete an upload (of this platform, where one is given) but for its pictures' bytes.

    Returns:
        The state in which it was; None where there is no such upload.
    """
    was: str | None = await conn.fetchval(_ERASE, upload, platform, actor)
    return was


async def unfinished(conn: Conn, limit: int) -> list[UUID]:
    """List deleted uploads whose pictures are still to be looked at."""
    return [row["upload_id"] for row in await conn.fetch(_UNFINISHED, limit)]


async def images(conn: Conn, upload: UUID) -> list[bytes]:
    """Give the digests of the pictures that a deleted upload had, until ``finished``."""
    return await conn.fetchval(_IMAGES, upload) or []


async def forget_image(conn: Conn, sha256: bytes) -> bool:
    """Remove a picture unless something names it; tell whether it went."""
    return bool(await conn.fetchval(_FORGET_IMAGE, sha256))


async def finished(conn: Conn, upload: UUID) -> None:
    """Note that each picture of a deleted upload was looked at."""
    await conn.execute(_FINISHED, upload)


async def hold_due(
    conn: Conn, kind: Kind, kept: timedelta, *, now: datetime | None = None
) -> UUID | None:
    """Lock an upload of this kind whose end, or decision, is longer ago; None if there is none."""
    for which in _KINDS[kind]:
        found: UUID | None = await conn.fetchval(_HOLD_DUE.format(which=which), kept, now)
        if found is not None:
            return found
    return None


async def forget_keys(
    conn: Conn, kept: timedelta, limit: int, *, now: datetime | None = None
) -> int:
    """Forget up to ``limit`` idempotency keys that are older; tell how many."""
    return len(await conn.fetch(_FORGET_KEYS, kept, limit, now))


async def forget_told(
    conn: Conn, kept: timedelta, limit: int, *, now: datetime | None = None
) -> int:
    """Forget up to ``limit`` ids of events and as many ended tries; tell how many."""
    return int(await conn.fetchval(_FORGET_TOLD, kept, limit, now))
