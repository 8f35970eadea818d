"""What people did about a case, and how well they and the model agree."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from service.store import Conn, Row
from service.store.uploads import VIEW

_EXISTS = "SELECT EXISTS (SELECT FROM cases WHERE upload_id = $1)"
_CASES = f"""
    WITH shown AS ({VIEW} WHERE u.id = ANY ($1::uuid[]))
    SELECT shown.*, c.severity, c.decision, c.decided_at, c.revision, c.rules,
           (SELECT count(*) FROM comments AS k WHERE k.upload_id = c.upload_id) AS comments
      FROM shown JOIN cases AS c ON c.upload_id = shown.id
"""  # noqa: S608  # constants of this module
_PERSON = "jsonb_build_object('id', t.id, 'name', t.name)"
_CURRENT = f"""
    SELECT jsonb_build_object(
        'revision', c.revision,
        'decision', c.decision,
        'lease', (SELECT jsonb_build_object('holder', {_PERSON}, 'until', l.until)
                    FROM leases AS l JOIN tokens AS t ON t.id = l.holder
                   WHERE l.upload_id = c.upload_id AND l.until > now()),
        'decisions', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'id', d.id, 'decision', d.decision, 'reason', d.reason,
                           'actor', {_PERSON}, 'queue', d.queue, 'bulk', d.bulk,
                           'previous', d.previous, 'decided_at', d.decided_at,
                           'effective_at', d.effective_at, 'undone_at', d.undone_at,
                           'applied_at', d.applied_at) ORDER BY d.decided_at, d.id), '[]')
                        FROM decisions AS d JOIN tokens AS t ON t.id = d.actor
                       WHERE d.upload_id = c.upload_id),
        'comments', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                          'id', k.id, 'person', {_PERSON}, 'text', k.text, 'at', k.at)
                          ORDER BY k.id), '[]')
                       FROM comments AS k JOIN tokens AS t ON t.id = k.person
                      WHERE k.upload_id = c.upload_id),
        'reveals', (SELECT count(*) FROM reveals AS r WHERE r.upload_id = c.upload_id))
      FROM cases AS c WHERE c.upload_id = $1
"""  # noqa: S608  # constants of this module
_COMMENT = "INSERT INTO comments (id, upload_id, person, text) VALUES ($1, $2, $3, $4)"
# Bulk decisions are looked at by nobody one by one, so they are counted apart.
_MADE = """
    WITH made AS (
        SELECT d.actor, d.decision, (d.decided_at AT TIME ZONE 'UTC')::date AS day,
               d.undone_at IS NOT NULL AS undone, d.bulk IS NOT NULL AS bulk,
               EXISTS (SELECT FROM reveals AS r
                        WHERE r.upload_id = d.upload_id AND r.person = d.actor
                          AND r.at <= d.decided_at) AS revealed,
               extract(epoch FROM d.decided_at - d.leased_at)::float8 AS took_s
          FROM decisions AS d
         WHERE d.decided_at >= coalesce($1::timestamptz, now() - interval '30 days')
           AND d.decided_at < coalesce($2::timestamptz, 'infinity'))
"""
_SUMMARY = f"""{_MADE}
    SELECT m.actor, (SELECT name FROM tokens AS t WHERE t.id = m.actor) AS name,
           count(*) FILTER (WHERE NOT undone AND NOT bulk) AS decided,
           count(*) FILTER (WHERE NOT undone AND NOT bulk AND NOT revealed) AS without_reveal,
           count(*) FILTER (WHERE NOT undone AND bulk) AS in_bulk,
           count(*) FILTER (WHERE undone) AS undone,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s)
               FILTER (WHERE NOT undone AND NOT bulk) AS median_s
      FROM made AS m
     GROUP BY GROUPING SETS ((m.actor), ())
     ORDER BY m.actor NULLS FIRST
"""  # noqa: S608  # constants of this module
_DAYS = f"""{_MADE}
    SELECT day,
           count(*) FILTER (WHERE NOT bulk AND decision = 'allow') AS allow,
           count(*) FILTER (WHERE NOT bulk AND decision = 'allow_edited') AS allow_edited,
           count(*) FILTER (WHERE NOT bulk AND decision = 'block') AS block,
           count(*) FILTER (WHERE NOT bulk AND decision = 'escalate') AS escalate,
           count(*) FILTER (WHERE NOT bulk AND NOT revealed) AS without_reveal,
           count(*) FILTER (WHERE bulk) AS in_bulk
      FROM made
     WHERE NOT undone
     GROUP BY day
     ORDER BY day
"""  # noqa: S608  # constants of this module
# A finding is upheld by every decision but to allow the image as it is; where nothing was found
# (rule null), by that alone.  What a person left open, or opened again, says nothing.
_AGREEMENT = """
    SELECT c.ruleset, c.version, found.rule,
           count(*) FILTER (WHERE (c.decision = 'allow') = (found.rule IS NULL)) AS upheld,
           count(*) FILTER (WHERE (c.decision = 'allow') <> (found.rule IS NULL)) AS overturned
      FROM cases AS c LEFT JOIN LATERAL unnest(c.rules) AS found (rule) ON true
     WHERE c.decision IN ('allow', 'allow_edited', 'block') AND c.state = 'done'
       AND ($1::text IS NULL OR c.ruleset = $1) AND ($2::integer IS NULL OR c.version = $2)
     GROUP BY 1, 2, 3
     ORDER BY 1, 2, 3 NULLS LAST
"""


async def exists(conn: Conn, upload: UUID) -> bool:
    """Tell whether there is such an upload that has ended."""
    return bool(await conn.fetchval(_EXISTS, upload))


async def cases(conn: Conn, uploads: Sequence[UUID]) -> dict[UUID, Row]:
    """Read cases: the columns of ``uploads.VIEW``, of the case, and its number of comments."""
    return {row["id"]: row for row in await conn.fetch(_CASES, uploads)}


async def current(conn: Conn, upload: UUID) -> dict[str, Any] | None:
    """Read all that people did about a case, as JSON: web/review_models.py has the shape."""
    found: dict[str, Any] | None = await conn.fetchval(_CURRENT, upload)
    return found


async def comment(conn: Conn, comment: UUID, upload: UUID, person: UUID, text: str) -> None:
    """Add what a person has to say about a case."""
    await conn.execute(_COMMENT, comment, upload, person, text)


async def summary(conn: Conn, begin: datetime | None, end: datetime | None) -> list[Row]:
    """Count decisions by person, of the last 30 days if no time is given; the first row is all."""
    return await conn.fetch(_SUMMARY, begin, end)


async def days(conn: Conn, begin: datetime | None, end: datetime | None) -> list[Row]:
    """Count by day (UTC) what was decided and not undone; of the last 30 days if not told."""
    return await conn.fetch(_DAYS, begin, end)


async def agreement(conn: Conn, ruleset: str | None, version: int | None) -> list[Row]:
    """Count by rule how often people upheld what the model found; rule null: that it found none."""
    return await conn.fetch(_AGREEMENT, ruleset, version)
