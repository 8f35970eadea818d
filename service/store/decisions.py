"""Decisions of people: append-only but for one moment, at which they are undone or applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.deciding import Decision
from service.store import Conn

_LOCK = "SELECT id FROM uploads WHERE id = $1 FOR NO KEY UPDATE"
# A statement of its own: one that waits for the lock would still see what was before.
_HELD = """
    SELECT u.platform, c.revision, c.decision AS latest, u.decision AS standing,
           EXISTS (SELECT FROM records AS r WHERE r.upload_id = u.id) AS has_edited,
           (SELECT d.id FROM decisions AS d
             WHERE d.upload_id = u.id AND d.undone_at IS NULL AND d.applied_at IS NULL) AS pending
      FROM uploads AS u JOIN cases AS c ON c.upload_id = u.id
     WHERE u.id = $1
"""
_ADD = """
    INSERT INTO decisions (id, upload_id, decision, reason, actor, queue, previous, leased_at,
                           effective_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9::interval)
 RETURNING effective_at
"""
_UNDO = """
    UPDATE decisions SET undone_at = now()
     WHERE upload_id = $1 AND actor = $2 AND undone_at IS NULL AND applied_at IS NULL
       AND effective_at > now()
 RETURNING id, queue
"""
_PENDING_ACTOR = """
    SELECT actor FROM decisions
     WHERE upload_id = $1 AND undone_at IS NULL AND applied_at IS NULL
"""
# What the triggers write is read by a second statement, since this one does not see it.
_APPLY = """
    WITH due AS (
        SELECT id FROM decisions
         WHERE undone_at IS NULL AND applied_at IS NULL AND effective_at <= now()
         ORDER BY effective_at, id
         LIMIT $1
           FOR UPDATE SKIP LOCKED)
    UPDATE decisions AS d SET applied_at = now() FROM due WHERE d.id = due.id RETURNING d.id
"""
_APPLIED = """
    SELECT d.id, d.upload_id, d.decision, d.previous, d.actor, d.decided_at, d.applied_at,
           u.platform, u.external_id, u.ruleset, u.version, u.state, u.outcome, u.verdict
      FROM decisions AS d JOIN uploads AS u ON u.id = d.upload_id
     WHERE d.id = ANY ($1::uuid[])
     ORDER BY d.effective_at, d.id
"""


@dataclass(frozen=True, slots=True)
class Held:
    """
    A case that is locked for a decision.

    ``latest`` took effect last, ``standing`` is what the platform was told last; ``pending`` is a
    decision that may still be undone.
    """

    platform: str
    revision: int
    latest: Decision | None
    standing: Decision | None
    has_edited: bool
    pending: UUID | None


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision to be entered; ``leased_at`` is when its person began with the case."""

    id: UUID
    upload_id: UUID
    decision: Decision
    reason: str
    actor: UUID
    queue: str | None
    previous: Decision | None
    leased_at: datetime | None


@dataclass(frozen=True, slots=True)
class Applied:
    """A decision that takes effect now, and how its upload stands with it."""

    id: UUID
    upload_id: UUID
    decision: Decision
    previous: Decision | None
    actor: UUID
    decided_at: datetime
    applied_at: datetime
    platform: str
    external_id: str | None
    ruleset: str
    version: int
    state: str
    outcome: str
    verdict: str


async def hold(conn: Conn, upload: UUID) -> Held | None:
    """Keep others from deciding the case meanwhile; None if no such upload has ended."""
    await conn.execute(_LOCK, upload)
    row = await conn.fetchrow(_HELD, upload)
    return Held(**row) if row else None


async def add(conn: Conn, new: NewDecision, undo: timedelta) -> datetime:
    """Enter a decision of a case that is held; tell when it takes effect."""
    effective_at: datetime = await conn.fetchval(
        _ADD,
        new.id,
        new.upload_id,
        new.decision,
        new.reason,
        new.actor,
        new.queue,
        new.previous,
        new.leased_at,
        undo,
    )
    return effective_at


async def undo(conn: Conn, upload: UUID, actor: UUID) -> tuple[UUID, str | None] | None:
    """Take back this person's decision in time; give its id and queue, None if there is none."""
    row = await conn.fetchrow(_UNDO, upload, actor)
    return (row["id"], row["queue"]) if row else None


async def pending_actor(conn: Conn, upload: UUID) -> UUID | None:
    """Tell whose decision has not taken effect yet."""
    actor: UUID | None = await conn.fetchval(_PENDING_ACTOR, upload)
    return actor


async def apply(conn: Conn, limit: int) -> list[Applied]:
    """Let up to ``limit`` decisions that are due take effect; the transaction must tell of them."""
    ids: Sequence[UUID] = [row["id"] for row in await conn.fetch(_APPLY, limit)]
    return [Applied(**row) for row in await conn.fetch(_APPLIED, ids)]
