"""The cases table, a row for each upload that has ended: pages of it, and how many there are."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from service.errors import InputRefused
from service.store import Conn, Row
from service.store.records import Filter, conditions, sifted
from service.store.uploads import VIEW

Order = Literal["newest", "oldest", "severity"]
TIMEOUT_S = 3
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
# How selective a filter is lies in its values, so every plan is made for them.  What is asked for
# is in memory or on disks without heads, and a page is a few rows: indexes are worth reading, and
# what must be read whole before the first row comes is not.
_BOUNDS = f"""
    SET LOCAL statement_timeout = '{TIMEOUT_S}s';
    SET LOCAL plan_cache_mode = force_custom_plan;
    SET LOCAL random_page_cost = 1.1;
    SET LOCAL enable_mergejoin = off;
    SET LOCAL max_parallel_workers_per_gather = 0;
    SET LOCAL jit = off
"""
# Such as a variable that nobody sets, or a time zone that is not told.
_FAULTS_OF_PATHS = (
    asyncpg.DataError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.UndefinedObjectError,
)
# The columns of each order, as the indexes have them, and its direction.
_ORDERS: Mapping[Order, tuple[tuple[str, ...], Literal["ASC", "DESC"]]] = {
    "newest": (("c.received_at", "c.upload_id"), "DESC"),
    "oldest": (("c.received_at", "c.upload_id"), "ASC"),
    "severity": (("c.rank", "c.upload_id"), "ASC"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which case a page begins."""

    severity: int
    received_at: datetime
    id: UUID

    @property
    def rank(self) -> int:
        """The number that ``derived_cases`` gives it."""
        age = (self.received_at - _BEGIN) // timedelta(microseconds=1)
        return (4 - self.severity) * 10**16 + age


@asynccontextmanager
async def bounded(conn: Conn) -> AsyncIterator[None]:
    """
    Run what follows in a transaction that a caller's query cannot hold up.

    Raises:
        InputRefused: ``query_too_slow``: a statement took longer than ``TIMEOUT_S``;
            ``path_invalid``: only at work did it come out that a path asks for what is not there.
    """
    try:
        async with conn.transaction():
            await conn.execute(_BOUNDS)
            yield
    except asyncpg.QueryCanceledError as error:
        raise InputRefused(
            "query_too_slow",
            f"this took over {TIMEOUT_S} s; narrow it, such as by rule, ruleset or time",
        ) from error
    except _FAULTS_OF_PATHS as error:
        raise InputRefused("path_invalid", f"where: {error}") from error


def sorting(order: Order) -> str:
    """Spell an order of ``cases AS c`` as SQL."""
    columns, direction = _ORDERS[order]
    return ", ".join(f"{column} {direction}" for column in columns)


def behind(order: Order, place: Place, values: list[object]) -> str:
    """Spell what comes behind a place as SQL, and append its parameters to ``values``."""
    columns, direction = _ORDERS[order]
    keys = (place.rank if order == "severity" else place.received_at, place.id)
    values += keys
    places = f"(${len(values) - 1}, ${len(values)})"
    return f"({', '.join(columns)}) {'<' if direction == 'DESC' else '>'} {places}"


async def find(
    conn: Conn, wanted: Filter, order: Order, *, after: Place | None, limit: int
) -> list[Row]:
    """
    List cases from behind a place: the columns of ``uploads.VIEW`` and those that people write.

    Raises:
        InputRefused: ``path_invalid``.
    """
    values: list[object] = []
    beyond = "true" if after is None else behind(order, after, values)
    table, spelt = await sifted(conn, wanted, values, beyond)
    values.append(limit)
    query = f"""
        WITH page AS MATERIALIZED (
            SELECT c.upload_id
              FROM {table} AS c
             WHERE {" AND ".join(spelt)}
             ORDER BY {sorting(order)}
             LIMIT ${len(values)}),
        shown AS ({VIEW} WHERE u.id IN (SELECT upload_id FROM page))
        SELECT shown.*, c.severity, c.decision, c.decided_at, c.revision
          FROM page JOIN cases AS c USING (upload_id) JOIN shown ON shown.id = upload_id
         ORDER BY {sorting(order)}
    """  # noqa: S608  # what is spelt is ours; what was asked for are parameters
    return await conn.fetch(query, *values)


async def count(conn: Conn, wanted: Filter, most: int) -> int:
    """
    Count cases, up to ``most`` of them.

    Raises:
        InputRefused: ``path_invalid``.
    """
    values: list[object] = []
    spelt = await conditions(conn, wanted, values)
    values.append(most)
    query = f"""
        SELECT count(*)
          FROM (SELECT FROM cases AS c WHERE {" AND ".join(spelt)} LIMIT ${len(values)}) AS found
    """  # noqa: S608  # what is spelt is ours; what was asked for are parameters
    return int(await conn.fetchval(query, *values))
