"""What calls cost, summed up over the ledger."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from service.store import Conn, Row

By: TypeAlias = Literal["day", "platform", "ruleset", "model"]
BY: tuple[By, ...] = get_args(By)
_KEYS: Mapping[By, str] = {
    "day": "to_char(a.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "platform": "u.platform",
    "ruleset": "u.ruleset",
    "model": "a.model",
}
_SUMS = """
    SELECT {key} AS key, count(*) AS calls,
           count(*) FILTER (WHERE a.outcome = 'described') AS images_done,
           coalesce(sum(a.cost_microusd), 0)::bigint AS cost_microusd,
           coalesce(sum(a.reserved_microusd) FILTER (WHERE a.finished_at IS NULL), 0)::bigint
               AS reserved_microusd
      FROM attempts AS a JOIN uploads AS u ON u.id = a.upload_id
     WHERE a.started_at >= $1 AND a.started_at < $2
     GROUP BY 1
     ORDER BY 1
"""
_MONTH = """
    WITH month AS (
        SELECT at, date_trunc('month', at, 'UTC') AS begins,
               (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month')
                   AT TIME ZONE 'UTC' AS ends
          FROM (SELECT coalesce($1::timestamptz, now()) AS at) AS given),
    so_far AS (
        SELECT coalesce(sum(s.spent_microusd), 0)::bigint AS spent
          FROM month JOIN spending AS s
            ON s.scope = 'global' AND s.period = 'month'
           AND s.starts_on = (begins AT TIME ZONE 'UTC')::date)
    SELECT begins, ends, spent AS month_to_date_microusd,
           round(spent * extract(epoch FROM ends - begins)
                 / greatest(extract(epoch FROM at - begins), 86400))::bigint
               AS projection_microusd
      FROM month, so_far
"""


async def sums(conn: Conn, by: By, begin: datetime, end: datetime) -> list[Row]:
    """Sum up the calls begun at or after ``begin`` and before ``end``; days are UTC's."""
    return await conn.fetch(_SUMS.format(key=_KEYS[by]), begin, end)


async def month(conn: Conn, *, now: datetime | None = None) -> Row:
    """
    Tell this month's bounds (UTC), what was spent in it, and what the whole month will come to.

    The projection is spent x seconds of the month / seconds of it that have passed (at least a
    day's, so that a first hour does not speak for a month).
    """
    row = await conn.fetchrow(_MONTH, now)
    if row is None:
        raise LookupError("a month without a row")
    return row
