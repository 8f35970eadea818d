"""Who did what; append-only by right and by trigger, and chained by the database as it is added."""

from collections.abc import Mapping, Sequence
from datetime import date

from service.chaining import Entry, Link
from service.store import Conn, Row

_ADD = "INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)"
_ADD_EACH = """
    INSERT INTO audit (actor, action, subject, detail)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])
"""
_PAGE = """
    SELECT a.id, a.at, a.actor, a.action, a.subject, a.detail, l.day, l.number,
           encode(l.sha256, 'hex') AS sha256
      FROM audit AS a LEFT JOIN audit_links AS l ON l.audit_id = a.id
     WHERE ($1::text IS NULL OR a.actor = $1) AND ($2::text IS NULL OR a.action = $2)
       AND ($3::text IS NULL OR a.subject = $3) AND ($4::bigint IS NULL OR a.id < $4)
     ORDER BY a.id DESC
     LIMIT $5
"""
_LINKED = """
    SELECT l.audit_id, l.day, l.number, l.previous, l.sha256,
           a.id, a.at, a.actor, a.action, a.subject, a.detail::text AS detail
      FROM audit_links AS l LEFT JOIN audit AS a ON a.id = l.audit_id
     WHERE ($1::date IS NULL OR l.day = $1) AND (l.day, l.number) > ($2::date, $3::bigint)
     ORDER BY l.day, l.number
     LIMIT $4
"""
_UNLINKED = """
    SELECT id FROM audit AS a
     WHERE NOT EXISTS (SELECT FROM audit_links AS l WHERE l.audit_id = a.id)
       AND ($1::date IS NULL OR (a.at AT TIME ZONE 'UTC')::date = $1)
     ORDER BY id LIMIT 1
"""
_BEFORE = """
    SELECT audit_id, day, number, previous, sha256 FROM audit_links
     WHERE day < $1 ORDER BY day DESC, number DESC LIMIT 1
"""
_HEAD = "SELECT 0 AS audit_id, day, number, sha256 AS previous, sha256 FROM audit_head"
_ENTRY = ("id", "at", "actor", "action", "subject", "detail")
_LINK = ("audit_id", "day", "number", "previous", "sha256")


async def add(conn: Conn, actor: str, action: str, subject: str, **detail: object) -> None:
    """
    Enter one act; the clock is the database's.

    Others wait from here to the end of the transaction, so this comes last in it.
    """
    await conn.execute(_ADD, actor, action, subject, detail)


async def add_each(
    conn: Conn, action: str, entries: Sequence[tuple[str, str, Mapping[str, object]]]
) -> None:
    """Enter many acts of one kind, each as (actor, subject, detail), in this order."""
    if entries:
        actors, subjects, details = zip(*entries, strict=True)
        await conn.execute(_ADD_EACH, actors, [action] * len(actors), subjects, details)


async def page(
    conn: Conn,
    actor: str | None,
    action: str | None,
    subject: str | None,
    *,
    after: int | None,
    limit: int,
) -> list[Row]:
    """List entries, the newest first, from behind the id ``after``."""
    return await conn.fetch(_PAGE, actor, action, subject, after, limit)


async def linked(
    conn: Conn, day: date | None, last: Link | None, limit: int
) -> list[tuple[Entry | None, Link]]:
    """Read the next links (of a day) behind ``last``, with their entries where there are any."""
    place = (last.day, last.number) if last else (date.min, 0)
    rows = await conn.fetch(_LINKED, day, *place, limit)
    return [
        (
            Entry(*(row[name] for name in _ENTRY)) if row["id"] is not None else None,
            Link(*(row[name] for name in _LINK)),
        )
        for row in rows
    ]


async def unlinked(conn: Conn, day: date | None) -> int | None:
    """Find the first entry (of a day) that has no link."""
    found: int | None = await conn.fetchval(_UNLINKED, day)
    return found


async def last_before(conn: Conn, day: date) -> Link | None:
    """Read the last link of the days before."""
    row = await conn.fetchrow(_BEFORE, day)
    return Link(**row) if row else None


async def head(conn: Conn) -> Link | None:
    """Read what was noted of the last link; None where nothing was ever entered."""
    row = await conn.fetchrow(_HEAD + " WHERE number > 0")
    return Link(**row) if row else None
