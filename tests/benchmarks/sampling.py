"""What a soak looks at every few seconds, and how what it saw is judged."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from service.store import Conn
from tests.benchmarks import machine
from tests.up import driving

ROLES: Final = ("serve", "work", "deliver")
TABLES: Final = ("uploads", "attempts", "cases", "delivery_jobs", "deliveries")
# What a process loads and caches in its first minutes is no leak.
WARM: Final = 0.25
_TABLES: Final = """
    SELECT relname AS name, n_live_tup AS live, n_dead_tup AS dead,
           pg_total_relation_size(relid) AS bytes, vacuum_count + autovacuum_count AS vacuums
      FROM pg_stat_user_tables WHERE relname = ANY ($1) ORDER BY relname
"""
_WAITS: Final = """
    SELECT extract(epoch FROM received_at)::float8 AS at,
           extract(epoch FROM finished_at - received_at)::float8 AS took
      FROM uploads WHERE finished_at IS NOT NULL ORDER BY received_at
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one moment: MB (10^6 bytes) resident and open descriptors."""

    at: float
    role: str
    pid: int
    resident_mb: float
    descriptors: int


@dataclass(frozen=True, slots=True)
class Table:
    """One table at one moment; ``live`` and ``dead`` rows are the statistics' estimates."""

    at: float
    name: str
    live: int
    dead: int
    bytes: int
    vacuums: int


def processes(at: float, ancestor: int) -> list[Seen]:
    """Look at every process of `up` that has a role, and at itself; one may end meanwhile."""
    found = []
    for pid, words in {ancestor: ["up"], **driving.family(ancestor)}.items():
        role = next((role for role in ("up", *ROLES) if role in words), None)
        if role is None:
            continue
        try:
            found.append(Seen(at, role, pid, machine.resident_mb(pid), machine.descriptors(pid)))
        except (FileNotFoundError, ProcessLookupError, LookupError):
            continue
    return found


async def tables(at: float, conn: Conn) -> list[Table]:
    """Look at the tables that change with every upload."""
    return [Table(at, **row) for row in await conn.fetch(_TABLES, list(TABLES))]


async def waits(conn: "asyncpg.Connection[asyncpg.Record]") -> list[tuple[float, float]]:
    """Give when each upload that has ended was received, in seconds of the epoch, and its wait."""
    return [(row["at"], row["took"]) for row in await conn.fetch(_WAITS)]


def longest_lived(seen: Sequence[Seen], role: str) -> list[Seen]:
    """Give what was seen of the process of this role that lived longest, in order."""
    lives: dict[int, list[Seen]] = {}
    for one in seen:
        if one.role == role:
            lives.setdefault(one.pid, []).append(one)
    return max(lives.values(), key=lambda life: life[-1].at - life[0].at, default=[])


def growth(life: Sequence[Seen], of: Callable[[Seen], float], span_s: float) -> float:
    """Tell by how much a line through what was seen after the warm-up rises in so many seconds."""
    warm = life[int(len(life) * WARM) :]
    if len(warm) < 2:
        return 0.0
    slope, _ = statistics.linear_regression([one.at for one in warm], [of(one) for one in warm])
    return slope * span_s


def in_thirds(begin: float, end: float, values: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Sort values into the thirds of the time that they are from."""
    third = (end - begin) / 3
    found: list[list[float]] = [[], [], []]
    for at, value in values:
        if begin <= at <= end:
            found[min(2, int((at - begin) / third))].append(value)
    return [sorted(values) for values in found]
