"""Counts of cases: from the rollups where those can tell, else one by one under a bound."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal

from service.store import Conn
from service.store.platforms import GOLDEN
from service.store.records import Filter, conditions

Key = Literal["day", "rule", "outcome", "model", "platform"]
# Where no rollup tells, so many of the newest are counted.
MOST_COUNTED = 100_000
_TIMES = {"received_from": "day >= {}", "received_to": "day < {}"}
# By what each rollup can be asked, and what for.
_ROLLUPS: dict[str, tuple[set[str], set[Key]]] = {
    "case_counts": (
        {*_TIMES, "state", "outcome", "verdict", "platform", "ruleset", "version", "model"},
        {"day", "outcome", "model", "platform"},
    ),
    "rule_counts": ({*_TIMES, "platform", "ruleset", "version"}, {"rule"}),
}
_ONE_BY_ONE = {
    "day": "(c.received_at AT TIME ZONE 'UTC')::date::text",
    "rule": "c.rules",
    "outcome": "c.outcome",
    "model": "c.model",
    "platform": "c.platform",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """
    How many cases there are, and of each key; a case has several rules.

    ``exact`` is False where only the newest ``MOST_COUNTED`` were counted.
    """

    counts: dict[str | None, int]
    total: int
    exact: bool


async def summary(conn: Conn, wanted: Filter, by: Key) -> Summary:
    """
    Count cases by a key: days in their order, others by how many there are.

    Raises:
        InputRefused: ``path_invalid``.
    """
    for rollup, (fields, keys) in _ROLLUPS.items():
        if by in keys and _whole_days(wanted) and _given(wanted) <= fields:
            counts = await _rolled_up(conn, wanted, rollup, by)
            # A case with several rules is one case.
            each = counts if by != "rule" else await _rolled_up(conn, wanted, "case_counts", "day")
            return Summary(_sorted(counts, by), sum(each.values()), exact=True)
    return await _one_by_one(conn, wanted, by)


def _given(wanted: Filter) -> set[str]:
    return set(wanted.model_dump(exclude_none=True))


def _whole_days(wanted: Filter) -> bool:
    moments = (wanted.received_from, wanted.received_to)
    return all(moment is None or moment.time() == time() for moment in moments)


async def _rolled_up(conn: Conn, wanted: Filter, rollup: str, by: Key) -> dict[str | None, int]:
    values: list[object] = []
    spelt = []
    if wanted.platform is None:
        values.append(GOLDEN)
        spelt.append("platform <> $1")
    for name, value in wanted.model_dump(exclude_none=True).items():
        values.append(value.date() if isinstance(value, datetime) else value)
        spelt.append(_TIMES.get(name, f"{name} = {{}}").format(f"${len(values)}"))
    query = f"""
        SELECT {by}::text AS key, sum(cases)::bigint AS cases
          FROM {rollup}
         WHERE {" AND ".join(spelt)}
         GROUP BY 1 HAVING sum(cases) <> 0
    """  # noqa: S608  # what is spelt is ours; what was asked for are parameters
    return {row["key"]: row["cases"] for row in await conn.fetch(query, *values)}


async def _one_by_one(conn: Conn, wanted: Filter, by: Key) -> Summary:
    values: list[object] = []
    spelt = await conditions(conn, wanted, values)
    values.append(MOST_COUNTED)
    query = f"""
        WITH found AS MATERIALIZED (
            SELECT {_ONE_BY_ONE[by]} AS key
              FROM cases AS c
             WHERE {" AND ".join(spelt)}
             ORDER BY c.received_at DESC, c.upload_id DESC
             LIMIT ${len(values)})
        SELECT false AS whole, key, count(*) AS cases
          FROM {"found" if by != "rule" else "(SELECT unnest(key) AS key FROM found) AS named"}
         GROUP BY key
         UNION ALL
        SELECT true, NULL, count(*) FROM found
    """  # noqa: S608  # what is spelt is ours; what was asked for are parameters
    rows = await conn.fetch(query, *values)
    counts = {row["key"]: row["cases"] for row in rows if not row["whole"]}
    total = sum(row["cases"] for row in rows if row["whole"])
    return Summary(_sorted(counts, by), total, exact=total < MOST_COUNTED)


def _sorted(counts: dict[str | None, int], by: Key) -> dict[str | None, int]:
    def rank(item: tuple[str | None, int]) -> tuple[int, str]:
        key, cases = item
        return (0 if by == "day" else -cases, key or "")

    return dict(sorted(counts.items(), key=rank))
