"""Who works on which case, until when; and what a person is not to be offered again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.store import Conn

# Where somebody was faster the lease stays his.
_TAKE = """
    INSERT INTO leases AS l (upload_id, holder, queue, until)
    SELECT id, $2, $3, now() + $4::interval
      FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, place)
     ORDER BY place
        ON CONFLICT (upload_id) DO UPDATE
       SET holder = excluded.holder, queue = excluded.queue, until = excluded.until,
           place = CASE WHEN l.holder = excluded.holder AND l.until > now()
                        THEN l.place ELSE excluded.place END,
           begun_at = CASE WHEN l.holder = excluded.holder AND l.until > now()
                           THEN l.begun_at ELSE now() END
     WHERE l.until <= now() OR l.holder = excluded.holder
 RETURNING upload_id
"""
_OF = """
    SELECT l.upload_id, l.holder, t.name, l.queue, l.begun_at, l.until
      FROM leases AS l JOIN tokens AS t ON t.id = l.holder
     WHERE l.upload_id = ANY ($1::uuid[]) AND l.until > now()
"""
_GIVE_BACK = "DELETE FROM leases WHERE upload_id = ANY ($1::uuid[]) AND holder = $2"
_SET_ASIDE = """
    INSERT INTO set_aside (upload_id, person, kind, reason, until)
    VALUES ($1, $2, $3, $4, coalesce(now() + $5::interval, 'infinity'))
        ON CONFLICT (upload_id, person) DO UPDATE
       SET kind = excluded.kind, reason = excluded.reason, at = excluded.at,
           until = greatest(set_aside.until, excluded.until)
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A case that a person works on; ``name`` is the token's."""

    upload_id: UUID
    holder: UUID
    name: str | None
    queue: str | None
    begun_at: datetime
    until: datetime


async def take(
    conn: Conn, uploads: Sequence[UUID], person: UUID, queue: str | None, length: timedelta
) -> list[UUID]:
    """Lease cases to a person, or renew his leases; list those that nobody else has."""
    rows = await conn.fetch(_TAKE, uploads, person, queue, length)
    return [row["upload_id"] for row in rows]


async def of(conn: Conn, uploads: Sequence[UUID]) -> dict[UUID, Lease]:
    """Read the leases that run on these cases."""
    return {row["upload_id"]: Lease(**row) for row in await conn.fetch(_OF, uploads)}


async def give_back(conn: Conn, uploads: Sequence[UUID], person: UUID) -> None:
    """End leases of this person."""
    await conn.execute(_GIVE_BACK, uploads, person)


async def set_aside(
    conn: Conn, upload: UUID, person: UUID, kind: str, reason: str, length: timedelta | None
) -> None:
    """Offer a case to this person no more for so long, None for ever."""
    await conn.execute(_SET_ASIDE, upload, person, kind, reason, length)
