"""Budgets, and what was spent within them; the ledger's own trigger keeps the spending."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from service.store import Conn, Row

# Whoever entered the attempt holds the rows of spending until its transaction ends, so what is
# read here cannot be outrun.  Room may come back any minute, but no later than the next period.
_STANDINGS = """
    SELECT b.scope, b.period, s.starts_on, b.limit_microusd,
           s.reserved_microusd + s.spent_microusd AS used_microusd,
           s.reserved_microusd + s.spent_microusd > b.limit_microusd AS over,
           s.reserved_microusd + s.spent_microusd >= b.limit_microusd * b.warn_share AS warn,
           least($3::interval, (s.starts_on + ('1 ' || b.period)::interval) AT TIME ZONE 'UTC'
                               - a.started_at) AS wait
      FROM attempts AS a
      JOIN uploads AS u ON u.id = a.upload_id
      JOIN budgets AS b
        ON b.scope IN ('global', 'platform:' || u.platform, 'ruleset:' || u.ruleset)
      JOIN spending AS s
        ON s.scope = b.scope AND s.period = b.period
       AND s.starts_on = date_trunc(b.period, a.started_at AT TIME ZONE 'UTC')::date
     WHERE a.upload_id = $1 AND a.attempt = $2
     ORDER BY b.scope, b.period
"""
_HOLD = "SET CONSTRAINTS keep_spending IMMEDIATE"
_NOTICE = """
    INSERT INTO budget_notices (scope, period, starts_on, limit_microusd, kind)
    VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING
 RETURNING kind
"""
_SET = """
    INSERT INTO budgets (scope, period, limit_microusd, warn_share)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT (scope, period) DO UPDATE
       SET limit_microusd = excluded.limit_microusd, warn_share = excluded.warn_share
"""
_REMOVE = "DELETE FROM budgets WHERE scope = $1 AND period = $2 RETURNING scope"
_LISTED = """
    SELECT b.scope, b.period, b.limit_microusd, b.warn_share, now_in.starts_on,
           coalesce(s.spent_microusd, 0) AS spent_microusd,
           coalesce(s.reserved_microusd, 0) AS reserved_microusd
      FROM budgets AS b
     CROSS JOIN LATERAL (
           SELECT date_trunc(b.period, coalesce($1::timestamptz, now()) AT TIME ZONE 'UTC')::date
           ) AS now_in (starts_on)
      LEFT JOIN spending AS s
        ON s.scope = b.scope AND s.period = b.period AND s.starts_on = now_in.starts_on
     ORDER BY b.scope, b.period
"""
_KNOWS = """
    SELECT $1 = 'global' OR EXISTS (SELECT FROM platforms WHERE 'platform:' || name = $1)
        OR EXISTS (SELECT FROM rulesets WHERE 'ruleset:' || name = $1)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How one budget stands with an attempt that was just entered, its price included.

    ``wait`` is how long to wait for room; ``over`` means that there is none.
    """

    scope: str
    period: str
    starts_on: date
    limit_microusd: int
    used_microusd: int
    over: bool
    warn: bool
    wait: timedelta


async def standings(
    conn: Conn, upload: UUID, attempt: int, longest_wait: timedelta
) -> list[Standing]:
    """Tell how each budget that applies to the attempt stands, in a fixed order."""
    rows = await conn.fetch(_STANDINGS, upload, attempt, longest_wait)
    return [Standing(**row) for row in rows]


async def hold(conn: Conn) -> None:
    """Keep what this transaction reserved now, if that was put off to its commit."""
    await conn.execute(_HOLD)


async def notice(conn: Conn, standing: Standing, kind: str) -> bool:
    """Note that people are told; False if they were told of this limit in this period before."""
    told = await conn.fetchval(
        _NOTICE,
        standing.scope,
        standing.period,
        standing.starts_on,
        standing.limit_microusd,
        kind,
    )
    return told is not None


async def put(conn: Conn, scope: str, period: str, limit_microusd: int, warn_share: float) -> None:
    """Set a budget, new or in place of the one there was."""
    await conn.execute(_SET, scope, period, limit_microusd, warn_share)


async def remove(conn: Conn, scope: str, period: str) -> bool:
    """Remove a budget; False if there is none."""
    return await conn.fetchval(_REMOVE, scope, period) is not None


async def listed(conn: Conn, *, now: datetime | None = None) -> list[Row]:
    """List the budgets with what is spent and reserved in the period that runs."""
    return await conn.fetch(_LISTED, now)


async def knows(conn: Conn, scope: str) -> bool:
    """Tell whether there is such a platform or ruleset."""
    return bool(await conn.fetchval(_KNOWS, scope))
