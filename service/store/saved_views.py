"""Saved views: filters with a name that somebody keeps, for himself or for everybody."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.store import Conn
from service.store.cases import Order

_COLUMNS = """
    v.id, v.name, v.filter, v."order", v.owner, t.name AS owner_name, v.shared, v.revision,
    v.created_at
"""
# A view of the caller's own, a shared one, or any for who may see all.
_VISIBLE = "(v.owner = $1 OR v.shared OR $2)"
_ADD = """
    INSERT INTO saved_views (id, name, filter, "order", owner, shared)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (owner, name) DO NOTHING
 RETURNING id
"""
_LIST = f"""
    SELECT {_COLUMNS} FROM saved_views AS v JOIN tokens AS t ON t.id = v.owner
     WHERE {_VISIBLE} AND ($3::uuid IS NULL OR v.id > $3) ORDER BY v.id LIMIT $4
"""  # noqa: S608  # constants only
_GET = f"""
    SELECT {_COLUMNS} FROM saved_views AS v JOIN tokens AS t ON t.id = v.owner
     WHERE {_VISIBLE} AND v.id = $3
"""  # noqa: S608  # constants only
_LOCK = "SELECT revision FROM saved_views WHERE id = $1 FOR NO KEY UPDATE"
_CHANGE = """
    UPDATE saved_views
       SET name = $2, filter = $3, "order" = $4, shared = $5, revision = revision + 1
     WHERE id = $1
"""
_REMOVE = "DELETE FROM saved_views WHERE id = $1"


@dataclass(frozen=True, slots=True)
class NewView:
    """A filter (as JSON of ``records.Filter``) and an order, under a name; ``shared``: for all."""

    name: str
    filter: dict[str, Any]
    order: Order
    shared: bool


@dataclass(frozen=True, slots=True)
class View(NewView):
    """A view that is kept; ``revision`` is what If-Match is compared with."""

    id: UUID
    owner: UUID
    owner_name: str | None
    revision: int
    created_at: datetime


async def add(conn: Conn, view: UUID, owner: UUID, new: NewView) -> bool:
    """Keep a view; False if its owner has one of this name."""
    row = await conn.fetchrow(_ADD, view, new.name, new.filter, new.order, owner, new.shared)
    return row is not None


async def listed(
    conn: Conn, person: UUID, *, everything: bool, after: UUID | None, limit: int
) -> list[View]:
    """List the person's views and the shared ones, or ``everything``, the oldest first."""
    return [View(**row) for row in await conn.fetch(_LIST, person, everything, after, limit)]


async def get(conn: Conn, view: UUID, person: UUID, *, everything: bool) -> View | None:
    """Read a view that the person may see."""
    row = await conn.fetchrow(_GET, person, everything, view)
    return View(**row) if row else None


async def lock(conn: Conn, view: UUID) -> int | None:
    """Keep others from changing a view until the transaction ends; tell its revision."""
    revision: int | None = await conn.fetchval(_LOCK, view)
    return revision


async def change(conn: Conn, view: UUID, new: NewView) -> None:
    """
    Replace all of a view but its owner.

    Raises:
        asyncpg.UniqueViolationError: Its owner has another of this name.
    """
    await conn.execute(_CHANGE, view, new.name, new.filter, new.order, new.shared)


async def remove(conn: Conn, view: UUID) -> None:
    """Forget a view."""
    await conn.execute(_REMOVE, view)
