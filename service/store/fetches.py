"""Images that are still to be fetched: a queue for each platform, claimed by lease and fence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service.store import Conn
from service.store.uploads import NewUpload

# The channels named below are CHANNEL_FETCHES, CHANNEL_DUE and CHANNEL_FINISHED of this package.
_ADD = """
    WITH waiting AS (
        INSERT INTO uploads (id, platform, external_id, metadata, ruleset, version,
                             waiting_for, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'fetch', 'infinity')
     RETURNING received_at),
    queued AS (INSERT INTO fetches (upload_id, platform, source) VALUES ($1, $2, $7))
    SELECT received_at, pg_notify('fetches_due', '') FROM waiting
"""
_CLAIM = """
    WITH due AS (
        SELECT f.upload_id
          FROM platforms AS p
          LEFT JOIN unnest($2::text[], $3::integer[]) AS busy (platform, fetches)
            ON busy.platform = p.name
         CROSS JOIN LATERAL (
             SELECT upload_id, due_at FROM fetches
              WHERE platform = p.name AND ended_at IS NULL AND due_at <= now()
              ORDER BY due_at
              LIMIT greatest(0, $4 - coalesce(busy.fetches, 0))
                FOR UPDATE SKIP LOCKED) AS f
         ORDER BY coalesce(busy.fetches, 0), f.due_at
         LIMIT $1),
    claimed AS (
        UPDATE fetches AS f
           SET attempt = f.attempt + 1, tries = f.tries + 1, due_at = now() + $5::interval,
               error = NULL
          FROM due
         WHERE f.upload_id = due.upload_id
     RETURNING f.upload_id, f.attempt, f.tries, f.source)
    SELECT c.upload_id, c.attempt, c.tries, c.source,
           u.platform, u.external_id, u.ruleset, u.version, p.fetching AS settings
      FROM claimed AS c
      JOIN uploads AS u ON u.id = c.upload_id
      JOIN platforms AS p ON p.name = u.platform
"""
_END = """
    UPDATE fetches
       SET ended_at = now(), error = $3
     WHERE upload_id = $1 AND attempt = $2 AND ended_at IS NULL
 RETURNING upload_id
"""
_LATER = """
    UPDATE fetches
       SET due_at = now() + $3::interval, error = $4
     WHERE upload_id = $1 AND attempt = $2 AND ended_at IS NULL
"""
_RELEASE = """
    UPDATE fetches
       SET due_at = now() + $3::interval, tries = tries - 1
     WHERE upload_id = $1 AND attempt = $2 AND ended_at IS NULL
 RETURNING pg_notify('fetches_due', '')
"""
_LEAD = """
    UPDATE uploads AS u
       SET image_sha256 = $2, waiting_for = NULL, due_at = now(), leads = p.reuse
      FROM platforms AS p
     WHERE u.id = $1 AND u.waiting_for = 'fetch' AND p.name = u.platform
 RETURNING pg_notify('uploads_due', '')
"""
_FOLLOW = """
    UPDATE uploads SET image_sha256 = $2, waiting_for = 'reuse'
     WHERE id = $1 AND waiting_for = 'fetch'
"""
_FAIL = """
    UPDATE uploads
       SET state = 'failed', outcome = $2, waiting_for = NULL, due_at = now(), finished_at = now()
     WHERE id = $1 AND waiting_for = 'fetch'
 RETURNING pg_notify('uploads_finished', id::text)
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    One try to make now: ``attempt`` is the fence, ``tries`` counts with this one.

    ``source`` and ``settings`` (the platform's, None for the defaults) are JSON and hold secrets.
    """

    upload_id: UUID
    attempt: int
    tries: int
    source: dict[str, Any] = field(repr=False)
    platform: str
    external_id: str | None
    ruleset: str
    version: int
    settings: dict[str, Any] | None = field(repr=False)


async def add(conn: Conn, upload: NewUpload, source: Mapping[str, Any]) -> datetime:
    """Add an upload that waits for its image; tell when it was received."""
    received_at: datetime = await conn.fetchval(
        _ADD,
        upload.id,
        upload.platform,
        upload.external_id,
        upload.metadata,
        upload.ruleset,
        upload.version,
        source,
    )
    return received_at


async def claim(
    conn: Conn, room: int, busy: Mapping[str, int], each: int, lease: timedelta
) -> list[Claim]:
    """
    Take up to ``room`` fetches that are due; what a dead process held comes due again by itself.

    Args:
        busy: Platforms to the fetches under way for them, which come after the others.
        each: How many may be under way for one platform.
    """
    rows = await conn.fetch(_CLAIM, room, list(busy), list(busy.values()), each, lease)
    return [Claim(**row) for row in rows]


async def end(conn: Conn, claim: Claim, error: str | None) -> bool:
    """End the fetch, and keep others off meanwhile; False if the try no longer holds it."""
    return await conn.fetchval(_END, claim.upload_id, claim.attempt, error) is not None


async def later(conn: Conn, claim: Claim, delay: timedelta, error: str) -> None:
    """Try again after ``delay``, unless another try holds the fetch by now."""
    await conn.execute(_LATER, claim.upload_id, claim.attempt, delay, error)


async def release(conn: Conn, claim: Claim, delay: timedelta) -> None:
    """Give the try back as one that was not made."""
    await conn.execute(_RELEASE, claim.upload_id, claim.attempt, delay)


async def lead(conn: Conn, upload: UUID, image_sha256: bytes) -> bool:
    """
    Queue an upload whose image has come; False if it no longer waits for that.

    Raises:
        asyncpg.UniqueViolationError: Another upload leads with the same image; follow it.
    """
    return await conn.fetchrow(_LEAD, upload, image_sha256) is not None


async def follow(conn: Conn, upload: UUID, image_sha256: bytes) -> None:
    """Let an upload whose image has come wait for the result of the one that leads."""
    await conn.execute(_FOLLOW, upload, image_sha256)


async def fail(conn: Conn, upload: UUID, outcome: str) -> bool:
    """End an upload that has no image, held for a person; False if it no longer waits for one."""
    return await conn.fetchrow(_FAIL, upload, outcome) is not None
