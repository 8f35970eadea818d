"""Uploads that share a result: the one that leads is worked on, its followers wait for the end."""

from uuid import UUID

from service.store import Conn, Row

# What is said of a leader is said in the words of the index of leaders.  It is kept from being
# deleted until its result is copied whole.  What a person decided of it is not copied: he saw its
# circumstances, not these.
_COPY = """
    WITH ready AS (
        SELECT f.id, l.id AS leader
          FROM uploads AS f JOIN uploads AS l USING (platform, image_sha256, ruleset, version)
         WHERE f.waiting_for = 'reuse' AND {which}
           AND l.leads AND l.state <> 'deleted' AND (l.state <> 'failed' OR l.outcome = 'refused')
           AND l.finished_at IS NOT NULL
         LIMIT $1
           FOR NO KEY UPDATE OF f SKIP LOCKED
           FOR SHARE OF l),
    copied AS (
        UPDATE uploads AS f
           SET state = l.state, outcome = l.outcome, reused_from = l.id,
               verdict = coalesce(l.machine_verdict, l.verdict),
               canonical_sha256 = l.canonical_sha256, waiting_for = NULL, due_at = now(),
               finished_at = now()
          FROM ready JOIN uploads AS l ON l.id = ready.leader
         WHERE f.id = ready.id
     RETURNING f.id, f.platform, f.external_id, f.ruleset, f.version, f.state, f.outcome,
               f.verdict, f.reused_from),
    recorded AS (
        INSERT INTO records (upload_id, edited_sha256, thumbnail_sha256, raw_sha256, description,
                             outcome, severity, rules)
        SELECT c.id, r.edited_sha256, r.thumbnail_sha256, r.raw_sha256, r.description,
               r.outcome, r.severity, r.rules
          FROM copied AS c JOIN records AS r ON r.upload_id = c.reused_from)
    SELECT c.id, c.platform, c.external_id, c.ruleset, c.version, c.state, c.outcome, c.verdict,
           r.severity, r.rules, pg_notify('uploads_finished', c.id::text)
      FROM copied AS c LEFT JOIN records AS r ON r.upload_id = c.reused_from
"""
_COPY_ANY = _COPY.format(which="true")
_COPY_TO = _COPY.format(which="f.id = $2")
_PROMOTE = """
    UPDATE uploads
       SET leads = true, waiting_for = NULL, due_at = now()
     WHERE id = (SELECT f.id
                   FROM uploads AS f
                  WHERE f.waiting_for = 'reuse'
                    AND NOT EXISTS (SELECT FROM uploads AS l
                                     WHERE (l.platform, l.image_sha256, l.ruleset, l.version)
                                         = (f.platform, f.image_sha256, f.ruleset, f.version)
                                       AND l.leads AND l.state <> 'deleted'
                                       AND (l.state <> 'failed' OR l.outcome = 'refused'))
                  ORDER BY f.id
                  LIMIT 1
                    FOR NO KEY UPDATE OF f SKIP LOCKED)
 RETURNING id, pg_notify('uploads_due', '')
"""


async def copy(conn: Conn, limit: int) -> list[Row]:
    """
    End up to ``limit`` followers as their leaders ended, with records of their own.

    Each row has what a callback tells (severity and rules null without a description); the
    caller's transaction must tell it.
    """
    return await conn.fetch(_COPY_ANY, limit)


async def copy_to(conn: Conn, upload: UUID) -> Row | None:
    """End this follower like ``copy`` if its leader has ended."""
    return await conn.fetchrow(_COPY_TO, 1, upload)


async def promote(conn: Conn) -> bool:
    """
    Let the oldest follower that nobody leads be worked on; False if there is none.

    Raises:
        asyncpg.UniqueViolationError: Another upload began to lead it at the same time.
    """
    return await conn.fetchrow(_PROMOTE) is not None
