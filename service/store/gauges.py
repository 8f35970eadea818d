"""What /metrics shows of the database; each statement reads a rollup, or little of an index."""

from dataclasses import dataclass

from service.store import Conn, Row

# Whoever has more waiting than this needs no exact number.
MOST_PENDING = 10_000
_ENDED = """
    SELECT outcome, sum(cases)::bigint AS uploads FROM case_counts GROUP BY outcome
"""
# The index by ``started_at`` has these; the whole ledger is never counted.
_ATTEMPTS = """
    SELECT upstream, model, coalesce(outcome, 'under_way') AS outcome, count(*) AS attempts
      FROM attempts WHERE started_at > now() - interval '5 minutes' GROUP BY 1, 2, 3
"""
_PENDING = """
    SELECT (SELECT count(*)
              FROM (SELECT FROM cases WHERE decision IS NULL AND verdict IN ('hold', 'block')
                     LIMIT $1) AS pending) AS cases,
           coalesce((SELECT extract(epoch FROM now() - received_at)::float8
                       FROM cases WHERE decision IS NULL AND verdict IN ('hold', 'block')
                      ORDER BY received_at, upload_id LIMIT 1), 0) AS oldest_s
"""
_DECISIONS = """
    SELECT decision, count(*) AS decisions FROM decisions
     WHERE decided_at > now() - interval '1 day' AND undone_at IS NULL GROUP BY decision
"""
_SPENT = """
    SELECT period, (spent_microusd + reserved_microusd) / 1e6::float8 AS dollars
      FROM spending
     WHERE scope = 'global' AND starts_on = date_trunc(period, now() AT TIME ZONE 'UTC')::date
"""
# Of budgets, which operators set, the fullest.
_BUDGETS = """
    SELECT b.scope, b.period,
           coalesce(s.spent_microusd + s.reserved_microusd, 0)
               / greatest(b.limit_microusd, 1)::float8 AS share
      FROM budgets AS b
      LEFT JOIN spending AS s
        ON (s.scope, s.period) = (b.scope, b.period)
       AND s.starts_on = date_trunc(b.period, now() AT TIME ZONE 'UTC')::date
     ORDER BY share DESC LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """How many cases (up to ``MOST_PENDING``) wait for a person, and for how long, in seconds."""

    cases: int
    oldest_s: float


async def ended(conn: Conn) -> dict[str, int]:
    """Count the uploads that are done or failed by outcome; deleted ones are not counted."""
    return {row["outcome"]: row["uploads"] for row in await conn.fetch(_ENDED)}


async def attempts(conn: Conn) -> list[Row]:
    """Count the attempts of the last five minutes by upstream, model and outcome."""
    return await conn.fetch(_ATTEMPTS)


async def pending(conn: Conn) -> Pending:
    """Tell what waits for a person."""
    row = await conn.fetchrow(_PENDING, MOST_PENDING)
    return Pending(**row) if row else Pending(0, 0.0)


async def decisions(conn: Conn) -> dict[str, int]:
    """Count the decisions of the last 24 hours."""
    return {row["decision"]: row["decisions"] for row in await conn.fetch(_DECISIONS)}


async def spent(conn: Conn) -> dict[str, float]:
    """Tell the dollars spent or reserved this day and this month (UTC)."""
    return {row["period"]: row["dollars"] for row in await conn.fetch(_SPENT)}


async def budgets(conn: Conn) -> list[Row]:
    """Tell the used share of each budget."""
    return await conn.fetch(_BUDGETS)
