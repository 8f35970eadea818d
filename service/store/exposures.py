"""Looks at originals: what was opened with a reason, what was served, and how much is left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.store import Conn

# The person's own row is the lock under which his budget is read and spent.
_CASE = """
    SELECT c.severity, u.canonical_sha256 IS NOT NULL AS has_original
      FROM cases AS c JOIN uploads AS u ON u.id = c.upload_id WHERE c.upload_id = $1
"""
_OPEN = """
    SELECT id, severity, until FROM reveals
     WHERE upload_id = $1 AND person = $2 AND until > now()
     ORDER BY until DESC LIMIT 1
"""
_REVEAL = """
    INSERT INTO reveals (id, upload_id, person, severity, reason, until)
    VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
 RETURNING id, severity, until
"""
_EXPOSE = """
    INSERT INTO exposures (id, reveal_id, upload_id, person, image_sha256, severity)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
# A reveal that was not served yet is as good as served, so that nobody opens more than he may see.
_TODAY = """
    WITH today AS (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS begin),
    looks AS (
        SELECT severity FROM exposures
         WHERE person = $1 AND served_at >= (SELECT begin FROM today)
         UNION ALL
        SELECT r.severity FROM reveals AS r
         WHERE r.person = $1 AND r.at >= (SELECT begin FROM today)
           AND r.id IS DISTINCT FROM $2
           AND NOT EXISTS (SELECT FROM exposures AS e WHERE e.reveal_id = r.id))
    SELECT severity::integer, b.per_day,
           (SELECT count(*) FROM looks WHERE looks.severity = s.severity) AS spent
      FROM generate_series(0, 4) AS s (severity) LEFT JOIN exposure_budgets AS b USING (severity)
     ORDER BY severity
"""
_BUDGETS = """
    SELECT severity::integer, b.per_day
      FROM generate_series(0, 4) AS s (severity) LEFT JOIN exposure_budgets AS b USING (severity)
     ORDER BY severity
"""
_BOUND = """
    INSERT INTO exposure_budgets (severity, per_day) VALUES ($1, $2)
        ON CONFLICT (severity) DO UPDATE SET per_day = excluded.per_day
"""
_UNBOUND = "DELETE FROM exposure_budgets WHERE severity = $1"


@dataclass(frozen=True, slots=True)
class Reveal:
    """An original that is open to a person until then."""

    id: UUID
    severity: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """How many looks at originals of a severity a person had today; ``per_day`` None: no limit."""

    severity: int
    per_day: int | None
    spent: int

    @property
    def is_over(self) -> bool:
        """Tell whether there is no room for one more."""
        return self.per_day is not None and self.spent >= self.per_day


async def case(conn: Conn, upload: UUID) -> tuple[int, bool] | None:
    """Tell a case's severity, and whether it has an original; None if no such upload has ended."""
    row = await conn.fetchrow(_CASE, upload)
    return (row["severity"], row["has_original"]) if row else None


async def opened(conn: Conn, upload: UUID, person: UUID) -> Reveal | None:
    """Read the reveal by which this person may see the original now."""
    row = await conn.fetchrow(_OPEN, upload, person)
    return Reveal(**row) if row else None


async def reveal(
    conn: Conn,
    reveal: UUID,
    upload: UUID,
    person: UUID,
    severity: int,
    reason: str,
    length: timedelta,
) -> Reveal:
    """Open the original to this person."""
    (row,) = await conn.fetch(_REVEAL, reveal, upload, person, severity, reason, length)
    return Reveal(**row)


async def add(
    conn: Conn, exposure: UUID, opened: Reveal, upload: UUID, person: UUID, sha256: bytes
) -> None:
    """Enter that the bytes of an image are sent to a person."""
    await conn.execute(_EXPOSE, exposure, opened.id, upload, person, sha256, opened.severity)


async def today(conn: Conn, person: UUID, but: UUID | None = None) -> list[Spent]:
    """Tell by severity what a person has spent today (UTC), but for the unserved reveal ``but``."""
    return [Spent(**row) for row in await conn.fetch(_TODAY, person, but)]


async def budgets(conn: Conn) -> dict[int, int | None]:
    """Tell by severity how often a person may look within a day (UTC); None: no limit."""
    return {row["severity"]: row["per_day"] for row in await conn.fetch(_BUDGETS)}


async def bound(conn: Conn, severity: int, per_day: int | None) -> None:
    """Set how often a person may look at originals of a severity; None takes the limit away."""
    if per_day is None:
        await conn.execute(_UNBOUND, severity)
    else:
        await conn.execute(_BOUND, severity, per_day)
