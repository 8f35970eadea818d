"""What waits for a person: the cases of a queue in their order, how many, and how old."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service.store import Conn
from service.store.cases import Order, Place, behind, sorting
from service.store.records import Filter, conditions

# Counting further would cost more than it tells.
MOST_COUNTED = 1000
_MINE = """
    SELECT c.upload_id
      FROM leases AS l JOIN cases AS c USING (upload_id)
     WHERE l.holder = {person} AND l.until > now() AND {where}
     ORDER BY l.place LIMIT {limit}
"""
# The upload's row is locked, so that of those who ask at once each goes on to another case.
_FREE = """
    SELECT c.upload_id
      FROM cases AS c JOIN uploads AS u ON u.id = c.upload_id
     WHERE {where}
       AND NOT EXISTS (SELECT FROM leases AS l
                        WHERE l.upload_id = c.upload_id AND l.until > now())
       AND NOT EXISTS (SELECT FROM set_aside AS s
                        WHERE s.upload_id = c.upload_id AND s.person = {person}
                          AND s.until > now())
     ORDER BY {order} LIMIT {limit}
       FOR NO KEY UPDATE OF u SKIP LOCKED
"""
_PLACE = "SELECT severity, received_at, upload_id AS id FROM cases WHERE upload_id = $1"
_PAGE = "SELECT c.upload_id FROM cases AS c WHERE {where} ORDER BY {order} LIMIT {limit}"
_COUNT = "SELECT count(*) FROM (SELECT FROM cases AS c WHERE {where} LIMIT {limit}) AS waiting"
_OLDEST = """
    SELECT extract(epoch FROM now() - c.received_at)::float8 FROM cases AS c
     WHERE {where} ORDER BY c.received_at, c.upload_id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases, and in which order; ``max_severity`` None bounds nothing."""

    filter: Filter
    order: Order = "severity"
    max_severity: int | None = None


class _Query:
    """The conditions of what waits, and the values of their parameters."""

    def __init__(self, where: list[str], values: list[object]) -> None:
        self.where, self.values = where, values

    def place(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


async def _query(conn: Conn, wanted: Wanted, after: Place | None = None) -> _Query:
    """
    Spell what waits: held or blocked, and not decided, unless the filter itself says otherwise.

    A case that was decided just now, and may still be undone, waits for nobody.
    """
    undecided = wanted.filter.decision in (None, "none")
    chosen = wanted.filter.model_copy(update={"decision": None}) if undecided else wanted.filter
    values: list[object] = []
    beyond = behind(wanted.order, after, values) if after else "true"
    where = await conditions(conn, chosen, values, beyond)
    query = _Query(where, values)
    if undecided:
        where.append("c.decision IS NULL")
    if chosen.verdict is None:
        where.append("c.verdict IN ('hold', 'block')")
    if wanted.max_severity is not None:
        where.append(f"c.severity <= {query.place(wanted.max_severity)}")
    where.append(
        "NOT EXISTS (SELECT FROM decisions AS d WHERE d.upload_id = c.upload_id"
        " AND d.undone_at IS NULL AND d.applied_at IS NULL)"
    )
    return query


async def of_person(
    conn: Conn, wanted: Wanted, person: UUID, skip: Sequence[UUID], limit: int
) -> list[UUID]:
    """List the cases that this person has leased already, in the order of the leases."""
    query = await _query(conn, wanted)
    query.where.append(f"c.upload_id <> ALL ({query.place(list(skip))}::uuid[])")
    statement = _MINE.format(
        person=query.place(person), where=" AND ".join(query.where), limit=query.place(limit)
    )
    return [row["upload_id"] for row in await conn.fetch(statement, *query.values)]


async def free(
    conn: Conn, wanted: Wanted, person: UUID, skip: Sequence[UUID], limit: int
) -> list[UUID]:
    """List the next cases that nobody has leased; their uploads stay locked."""
    query = await _query(conn, wanted)
    query.where.append(f"c.upload_id <> ALL ({query.place(list(skip))}::uuid[])")
    statement = _FREE.format(
        where=" AND ".join(query.where),
        person=query.place(person),
        order=sorting(wanted.order),
        limit=query.place(limit),
    )
    return [row["upload_id"] for row in await conn.fetch(statement, *query.values)]


async def page(conn: Conn, wanted: Wanted, after: UUID | None, limit: int) -> list[UUID]:
    """List what waits, leased or not, from behind the case ``after``."""
    place = await conn.fetchrow(_PLACE, after) if after else None
    if after and place is None:
        return []
    query = await _query(conn, wanted, Place(**place) if place else None)
    statement = _PAGE.format(
        where=" AND ".join(query.where), order=sorting(wanted.order), limit=query.place(limit)
    )
    return [row["upload_id"] for row in await conn.fetch(statement, *query.values)]


async def count(conn: Conn, wanted: Wanted, most: int = MOST_COUNTED) -> int:
    """Count what waits, up to one more than ``most``."""
    query = await _query(conn, wanted)
    statement = _COUNT.format(where=" AND ".join(query.where), limit=query.place(most + 1))
    return int(await conn.fetchval(statement, *query.values))


async def oldest_s(conn: Conn, wanted: Wanted) -> float | None:
    """Tell for how many seconds the oldest case waits; None if none does."""
    query = await _query(conn, wanted)
    statement = _OLDEST.format(where=" AND ".join(query.where))
    seconds: float | None = await conn.fetchval(statement, *query.values)
    return seconds
