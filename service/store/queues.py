"""Queues: saved filters with an order and the rules of the work on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.store import Conn
from service.store.cases import Order

SETTINGS = ("title", "filter", "sort_order", "reason_required", "blur", "sla_s", "max_severity")
_COLUMNS = f"name, {', '.join(SETTINGS)}, revision, created_by, created_at"
_LIST = f"SELECT {_COLUMNS} FROM queues ORDER BY name"  # noqa: S608  # constants of this module
_GET = f"SELECT {_COLUMNS} FROM queues WHERE name = $1"  # noqa: S608  # constants of this module
_LOCK = "SELECT revision FROM queues WHERE name = $1 FOR NO KEY UPDATE"
_ADD = """
    INSERT INTO queues (name, title, created_by) VALUES ($1, $1, $2)
    ON CONFLICT DO NOTHING RETURNING name
"""
_CHANGE = "UPDATE queues SET {columns}, revision = revision + {step} WHERE name = $1"
_REMOVE = "DELETE FROM queues WHERE name = $1 RETURNING name"


@dataclass(frozen=True, slots=True)
class Queue:
    """
    A queue; its filter is that of records as JSON.

    ``reason_required`` are decisions, ``blur`` "none", "always" or {"severity": from}, ``sla_s``
    how long a case may wait, ``max_severity`` the most severe that is offered.
    """

    name: str
    title: str
    filter: dict[str, Any]
    sort_order: Order
    reason_required: Sequence[str]
    blur: Any
    sla_s: int | None
    max_severity: int | None
    revision: int
    created_by: str
    created_at: datetime


async def listed(conn: Conn) -> list[Queue]:
    """List every queue by name."""
    return [Queue(**row) for row in await conn.fetch(_LIST)]


async def get(conn: Conn, name: str) -> Queue | None:
    """Read a queue."""
    row = await conn.fetchrow(_GET, name)
    return Queue(**row) if row else None


async def lock(conn: Conn, name: str) -> int | None:
    """Keep others from changing the queue meanwhile; tell its revision, None if unknown."""
    revision: int | None = await conn.fetchval(_LOCK, name)
    return revision


async def add(conn: Conn, name: str, settings: Mapping[str, object], actor: str) -> bool:
    """Add a queue; False if there is one of the name."""
    if await conn.fetchval(_ADD, name, actor) is None:
        return False
    await _set(conn, name, settings, 0)
    return True


async def change(conn: Conn, name: str, settings: Mapping[str, object]) -> None:
    """Set some of ``SETTINGS``; the caller holds the lock."""
    await _set(conn, name, settings, 1)


async def _set(conn: Conn, name: str, settings: Mapping[str, object], step: int) -> None:
    chosen = [one for one in SETTINGS if one in settings]
    columns = ", ".join(f"{one} = ${place}" for place, one in enumerate(chosen, 2))
    await conn.execute(
        _CHANGE.format(columns=columns, step=step), name, *(settings[one] for one in chosen)
    )


async def remove(conn: Conn, name: str) -> bool:
    """Remove a queue; False if there is none."""
    return await conn.fetchval(_REMOVE, name) is not None
