"""What is to be delivered to which endpoint, and the log of every try."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from service.store import Conn

# An endpoint that fails is tried by one request at a time, and after those that are well.
_CLAIM = """
    WITH due AS (
        SELECT j.callback_id, j.endpoint
          FROM endpoints AS e
          LEFT JOIN unnest($2::uuid[], $3::integer[]) AS busy (endpoint, tries)
            ON busy.endpoint = e.id
         CROSS JOIN LATERAL (
             SELECT callback_id, endpoint FROM delivery_jobs
              WHERE endpoint = e.id AND state = 'waiting' AND due_at <= now()
              ORDER BY due_at
              LIMIT greatest(0, CASE WHEN e.failing_since IS NULL THEN $4 ELSE 1 END
                                - coalesce(busy.tries, 0))
                FOR UPDATE SKIP LOCKED) AS j
         WHERE e.disabled_at IS NULL
         ORDER BY e.failing_since NULLS FIRST
         LIMIT $1),
    claimed AS (
        UPDATE delivery_jobs AS j
           SET attempt = j.attempt + 1, tries = j.tries + 1, due_at = now() + $5::interval
          FROM due
         WHERE j.callback_id = due.callback_id AND j.endpoint = due.endpoint
     RETURNING j.callback_id, j.endpoint, j.attempt, j.tries),
    entered AS (
        INSERT INTO deliveries (callback_id, endpoint, attempt, url)
        SELECT c.callback_id, c.endpoint, c.attempt, e.url
          FROM claimed AS c JOIN endpoints AS e ON e.id = c.endpoint)
    SELECT c.callback_id, c.endpoint, c.attempt, c.tries, e.platform, e.url, b.body,
           CASE WHEN e.old_secret_until > now() THEN e.secrets ELSE e.secrets[1:1] END AS secrets,
           now() AS at
      FROM claimed AS c
      JOIN endpoints AS e ON e.id = c.endpoint
      JOIN callbacks AS b ON b.id = c.callback_id
"""
_HOLD = """
    SELECT attempt FROM delivery_jobs
     WHERE callback_id = $1 AND endpoint = $2 AND attempt = $3 AND state = 'waiting'
       FOR NO KEY UPDATE
"""
_DELIVERED = """
    UPDATE delivery_jobs SET state = 'delivered' WHERE callback_id = $1 AND endpoint = $2
"""
_LATER = """
    UPDATE delivery_jobs
       SET due_at = now() + $3::interval
     WHERE callback_id = $1 AND endpoint = $2
"""
_GIVEN_UP = """
    UPDATE delivery_jobs SET state = 'failed' WHERE callback_id = $1 AND endpoint = $2
"""
_COMPLETE = """
    UPDATE deliveries
       SET finished_at = now(), status = $4, error = $5,
           delivered_at = CASE WHEN $5::text IS NULL THEN now() END
     WHERE callback_id = $1 AND endpoint = $2 AND attempt = $3
"""
_BACKLOG = """
    SELECT count(*) AS number,
           coalesce(extract(epoch FROM now() - min(c.created_at)), 0)::float8 AS oldest_s
      FROM delivery_jobs AS j JOIN callbacks AS c ON c.id = j.callback_id
     WHERE j.state = 'waiting'
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """One try to make now: ``attempt`` is the fence, ``tries`` counts those of this round."""

    callback_id: UUID
    endpoint: UUID
    attempt: int
    tries: int
    platform: str
    url: str
    body: bytes
    secrets: list[str] = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many deliveries wait, and how long the oldest message has, in seconds."""

    number: int
    oldest_s: float


async def claim(
    conn: Conn, room: int, busy: Mapping[UUID, int], each: int, lease: timedelta
) -> list[Claim]:
    """
    Enter up to ``room`` tries that are due; what a dead process held comes due again by itself.

    Args:
        busy: Endpoints to the tries under way there.
        each: How many may be under way at one endpoint.
    """
    rows = await conn.fetch(_CLAIM, room, list(busy), list(busy.values()), each, lease)
    return [Claim(**row) for row in rows]


async def hold(conn: Conn, claim: Claim) -> bool:
    """Keep others off until the transaction ends; False if the try no longer holds its job."""
    held = await conn.fetchval(_HOLD, claim.callback_id, claim.endpoint, claim.attempt)
    return held is not None


async def complete(conn: Conn, claim: Claim, status: int | None, error: str | None) -> None:
    """Enter how a try ended; without an error it was delivered."""
    key = (claim.callback_id, claim.endpoint, claim.attempt)
    await conn.execute(_COMPLETE, *key, status, error)


async def delivered(conn: Conn, claim: Claim) -> None:
    """End the job."""
    await conn.execute(_DELIVERED, claim.callback_id, claim.endpoint)


async def later(conn: Conn, claim: Claim, delay: timedelta) -> None:
    """Try again after ``delay``."""
    await conn.execute(_LATER, claim.callback_id, claim.endpoint, delay)


async def give_up(conn: Conn, claim: Claim) -> None:
    """End the job undelivered, until somebody asks for it again."""
    await conn.execute(_GIVEN_UP, claim.callback_id, claim.endpoint)


async def backlog(conn: Conn) -> Backlog:
    """Count what waits to be delivered."""
    row = await conn.fetchrow(_BACKLOG)
    return Backlog(**row) if row else Backlog(0, 0.0)
