"""The table of all checks, and how they are run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from service.doctoring import (
    STATUSES,
    Finding,
    Status,
    Subject,
    configured,
    fail,
    flowing,
    machine,
    ok,
    reaching,
    server,
)
from service.errors import StartRefused
from service.store import Conn
from service.store.database import UNREACHABLE

Found: TypeAlias = Finding | list[Finding]
Here: TypeAlias = Callable[[Subject], Awaitable[Found]]
There: TypeAlias = Callable[[Subject, Conn], Awaitable[Found]]

HERE: Final[dict[str, Here]] = {
    "address": configured.address,
    "times": configured.times,
    "data folder": machine.data_dir,
    "open files": machine.files,
    "extras": machine.extras,
    "upstream": reaching.upstreams,
}
THERE: Final[dict[str, There]] = {
    "version": server.version,
    "durability": server.durability,
    "pooler": server.pooler,
    "connections": server.connections,
    "clock": server.clock,
    "migrations": server.level,
}
# These read tables, of the level that this code needs.
MIGRATED: Final[dict[str, There]] = {
    "rights": server.rights,
    "database disk": server.disk,
    "ruleset": flowing.live,
    "tokens": flowing.tokens,
    "queue": flowing.queue,
    "paused": flowing.paused,
    "callbacks": flowing.called_back,
    "budgets": flowing.spent,
    "audit trail": flowing.audited,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One finding under the name of its check."""

    check: str
    status: Status
    found: str
    todo: str


async def examine(subject: Subject) -> list[Line]:
    """Run every check that can be; what a missing database keeps from being asked is left out."""
    lines: list[Line] = []
    for name, check in HERE.items():
        lines += _lines(name, await check(subject))
    return lines + await _ask(subject)


def worst(lines: Sequence[Line]) -> Status:
    """Give the worst status."""
    return max((one.status for one in lines), key=STATUSES.index, default="ok")


async def _ask(subject: Subject) -> list[Line]:
    """Ask the database, if there is one."""
    name = "database"
    if subject.database is None:
        return _lines(name, fail(subject.no_database or "", "see README, “Running it for real”"))
    try:
        pool = await subject.database.pool(size=1, name="doctor")
    except StartRefused as error:
        todo = "start it, or correct MODERATION_DATABASE_URL; nothing can be asked of it"
        return _lines(name, fail(str(error), todo))
    lines = _lines(name, ok("it answers"))
    try:
        async with pool.acquire() as conn:
            lines += await _run(THERE, subject, conn)
            if not any((one.check, one.status) == ("migrations", "fail") for one in lines):
                lines += await _run(MIGRATED, subject, conn)
    finally:
        await pool.close()
    return lines


async def _run(checks: dict[str, There], subject: Subject, conn: Conn) -> list[Line]:
    lines: list[Line] = []
    for name, check in checks.items():
        try:
            found = await check(subject, conn)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            found = fail(f"it could not be asked: {error}", "moderation doctor, once more")
        lines += _lines(name, found)
    return lines


def _lines(name: str, found: Found) -> list[Line]:
    findings = found if isinstance(found, list) else [found]
    return [Line(name, one.status, one.found, one.todo) for one in findings]
