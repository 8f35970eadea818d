"""Queues: adding, changing and removing them, each act entered in the audit trail."""

from collections.abc import Mapping, Sequence
from typing import Final

from service.errors import InputRefused
from service.store import Conn, audit, queues
from service.store.pending import Wanted
from service.store.queues import Queue
from service.store.records import Filter

# The queue that is always there, so that nothing held is ever out of everybody's sight.
HELD: Final = "held"


def wanted(queue: Queue) -> Wanted:
    """Tell which cases a queue has, and in which order."""
    return Wanted(Filter.model_validate(queue.filter), queue.sort_order, queue.max_severity)


async def find(conn: Conn, name: str) -> Queue:
    """Read a queue; InputRefused if there is none."""
    found = await queues.get(conn, name)
    if found is None:
        raise _missing(name)
    return found


async def create(conn: Conn, name: str, settings: Mapping[str, object], actor: str) -> Queue:
    """Add a queue; InputRefused if there is one of this name."""
    async with conn.transaction():
        if not await queues.add(conn, name, settings, actor):
            raise InputRefused("queue_exists", f"there is a queue {name!r} already")
        await audit.add(conn, actor, "queue.create", name, **settings)
        return await find(conn, name)


async def change(
    conn: Conn,
    name: str,
    settings: Mapping[str, object],
    actor: str,
    expected: Sequence[str] | None,
) -> Queue:
    """
    Change those settings of a queue that are given.

    Raises:
        InputRefused: ``not_found``, or ``queue_changed`` from a revision among ``expected``.
    """
    async with conn.transaction():
        await _lock(conn, name, expected)
        if settings:
            await queues.change(conn, name, settings)
            await audit.add(conn, actor, "queue.change", name, **settings)
        return await find(conn, name)


async def remove(conn: Conn, name: str, actor: str, expected: Sequence[str] | None) -> None:
    """
    Remove a queue; its cases are in others still.

    Raises:
        InputRefused: ``not_found``, ``queue_changed``, or ``queue_kept``.
    """
    if name == HELD:
        raise InputRefused("queue_kept", f"the queue {HELD!r} is always there; change it instead")
    async with conn.transaction():
        await _lock(conn, name, expected)
        await queues.remove(conn, name)
        await audit.add(conn, actor, "queue.remove", name)


async def _lock(conn: Conn, name: str, expected: Sequence[str] | None) -> None:
    revision = await queues.lock(conn, name)
    if revision is None:
        raise _missing(name)
    if expected is not None and str(revision) not in expected:
        raise InputRefused(
            "queue_changed", f"{name} is at revision {revision}, not {', '.join(expected)}"
        )


def _missing(name: str) -> InputRefused:
    return InputRefused("not_found", f"there is no queue {name[:100]!r}")
