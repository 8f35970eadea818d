"""One decision for many cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service.deciding import Decision
from service.store import Conn, Row

_STAND = """
    SELECT c.upload_id, c.decision AS latest, u.decision AS standing,
           EXISTS (SELECT FROM records AS r WHERE r.upload_id = u.id) AS has_edited,
           (SELECT l.holder FROM leases AS l
             WHERE l.upload_id = u.id AND l.until > now()) AS holder
      FROM cases AS c JOIN uploads AS u ON u.id = c.upload_id
     WHERE c.upload_id = ANY ($1::uuid[])
     ORDER BY c.upload_id
"""
_ADD = """
    INSERT INTO bulks (id, actor, filter, decision, reason, effective_at)
    VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
 RETURNING effective_at
"""
# The bound of a caller's query is lifted for the work that follows.
_ROOM = "SET LOCAL statement_timeout = '30s'"
# Whoever decided a case in the meantime keeps it.
_DECIDE = """
    INSERT INTO decisions (id, upload_id, decision, reason, actor, bulk, previous, effective_at)
    SELECT given.id, given.upload_id, b.decision, b.reason, b.actor, b.id, given.previous,
           b.effective_at
      FROM bulks AS b,
           unnest($2::uuid[], $3::uuid[], $4::text[]) AS given (id, upload_id, previous)
     WHERE b.id = $1
        ON CONFLICT (upload_id) WHERE undone_at IS NULL AND applied_at IS NULL DO NOTHING
 RETURNING upload_id
"""
_SKIPPED = "UPDATE bulks SET skipped = $2 WHERE id = $1"
_UNDO = """
    UPDATE decisions SET undone_at = now()
     WHERE bulk = $1 AND actor = $2 AND undone_at IS NULL AND applied_at IS NULL
       AND effective_at > now()
 RETURNING upload_id
"""
_GET = """
    SELECT b.id, b.actor, b.filter, b.decision, b.reason, b.skipped, b.decided_at, b.effective_at,
           count(d.id) AS count, count(d.applied_at) AS applied, count(d.undone_at) AS undone
      FROM bulks AS b LEFT JOIN decisions AS d ON d.bulk = b.id
     WHERE b.id = $1
     GROUP BY b.id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case of many stands; ``holder`` has leased it."""

    upload_id: UUID
    latest: Decision | None
    standing: Decision | None
    has_edited: bool
    holder: UUID | None


async def stand(conn: Conn, uploads: Sequence[UUID]) -> list[Standing]:
    """Read how these cases stand."""
    return [Standing(**row) for row in await conn.fetch(_STAND, uploads)]


async def add(
    conn: Conn,
    bulk: UUID,
    actor: UUID,
    wanted: Mapping[str, Any],
    decision: Decision,
    reason: str,
    undo: timedelta,
) -> datetime:
    """Enter that many are decided at once; tell when that takes effect."""
    await conn.execute(_ROOM)
    effective_at: datetime = await conn.fetchval(_ADD, bulk, actor, wanted, decision, reason, undo)
    return effective_at


async def decide(
    conn: Conn, bulk: UUID, decided: Sequence[tuple[UUID, UUID, Decision | None]]
) -> set[UUID]:
    """Enter the decisions, each as (id, upload, what it overturns); tell of which uploads."""
    ids, uploads, previous = zip(*decided, strict=True) if decided else ((), (), ())
    return {row["upload_id"] for row in await conn.fetch(_DECIDE, bulk, ids, uploads, previous)}


async def skipped(conn: Conn, bulk: UUID, left_out: Sequence[Mapping[str, str]]) -> None:
    """Note the cases that were left out, and why."""
    await conn.execute(_SKIPPED, bulk, left_out)


async def undo(conn: Conn, bulk: UUID, actor: UUID) -> list[UUID]:
    """Take back, in time, what has not taken effect; tell of which uploads."""
    return [row["upload_id"] for row in await conn.fetch(_UNDO, bulk, actor)]


async def get(conn: Conn, bulk: UUID) -> Row | None:
    """Read one, with how far it is."""
    return await conn.fetchrow(_GET, bulk)
