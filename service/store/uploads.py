"""The uploads table, which is the queue: adding, claiming, renewing, releasing, finishing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.store import Conn, Row

# The channels named below are CHANNEL_DUE and CHANNEL_FINISHED of this package.
_ADD = """
    INSERT INTO uploads (id, platform, external_id, metadata, image_sha256, ruleset, version,
                         max_cost_microusd)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
 RETURNING received_at, pg_notify('uploads_due', '')
"""
# Platforms take turns: an upload's turn is its place in its platform's queue, behind as many as the
# platform has in flight.  More candidates are looked at than are taken, since others who claim at
# the same moment hold some of them; their number is a constant, so that the planner knows it too.
_CLAIM = """
    WITH moment AS MATERIALIZED (SELECT coalesce($3::timestamptz, now()) AS at),
    in_flight AS (
        SELECT platform, count(*) AS uploads
          FROM uploads
         WHERE state = 'working' AND due_at > (SELECT at FROM moment)
         GROUP BY platform),
    turns AS (
        SELECT next.id, next.due_at, next.place + coalesce(f.uploads, 0) AS turn
          FROM platforms AS p
          LEFT JOIN in_flight AS f ON f.platform = p.name
         CROSS JOIN LATERAL (
               SELECT id, due_at, row_number() OVER (ORDER BY due_at, id) AS place
                 FROM uploads
                WHERE platform = p.name AND state IN ('queued', 'working')
                  AND due_at <= (SELECT at FROM moment)
                ORDER BY due_at, id
                LIMIT 64) AS next
         ORDER BY turn, next.due_at, next.id
         LIMIT 64),
    due AS (
        SELECT u.id, u.state = 'working' AS taken_over, turns.turn, turns.due_at
          FROM turns JOIN uploads AS u ON u.id = turns.id
         WHERE u.state IN ('queued', 'working') AND u.due_at <= (SELECT at FROM moment)
         ORDER BY turns.turn, turns.due_at, turns.id
         LIMIT $1
           FOR UPDATE OF u SKIP LOCKED)
    UPDATE uploads AS u
       SET state = 'working',
           waiting_for = NULL,
           attempt = u.attempt + 1,
           charges = u.charges + 1,
           claim = $4,
           due_at = (SELECT at FROM moment) + $2::interval
      FROM due
     WHERE u.id = due.id
 RETURNING u.id, u.platform, u.external_id, u.image_sha256, u.canonical_sha256,
           u.ruleset, u.version, u.attempt, u.charges, u.max_cost_microusd, due.taken_over
"""
_UNCLAIM = """
    UPDATE uploads
       SET state = 'queued', charges = charges - 1, due_at = now()
     WHERE claim = $1 AND state = 'working'
 RETURNING pg_notify('uploads_due', '')
"""
_RENEW = """
    UPDATE uploads AS u
       SET due_at = now() + $3::interval
      FROM unnest($1::uuid[], $2::integer[]) AS held (id, attempt)
     WHERE u.id = held.id AND u.attempt = held.attempt AND u.state = 'working'
 RETURNING u.id
"""
_HOLD = """
    SELECT id FROM uploads
     WHERE id = $1 AND attempt = $2 AND state = 'working' FOR NO KEY UPDATE
"""
_RELEASE = """
    UPDATE uploads
       SET state = 'queued',
           charges = charges - CASE WHEN $3 THEN 0 ELSE 1 END,
           due_at = now() + $4::interval,
           waiting_for = $5
     WHERE id = $1 AND attempt = $2 AND state = 'working'
 RETURNING pg_notify('uploads_due', '')
"""
_WAKE_BUDGET = """
    WITH woken AS (
        UPDATE uploads
           SET due_at = now()
         WHERE state = 'queued' AND waiting_for = 'budget' AND due_at > now()
           AND $1 IN ('global', 'platform:' || platform, 'ruleset:' || ruleset)
     RETURNING id)
    SELECT count(*), pg_notify('uploads_due', '') FROM woken
"""
_WAKE_UPSTREAM = """
    WITH woken AS (
        UPDATE uploads
           SET due_at = now()
         WHERE state = 'queued' AND waiting_for = 'upstream' AND due_at > now()
     RETURNING id)
    SELECT count(*), pg_notify('uploads_due', '') FROM woken
"""
_WAITING = "SELECT count(*) FROM uploads WHERE waiting_for = 'upstream'"
_FINISH = """
    UPDATE uploads
       SET state = $3, outcome = $4, verdict = $5, finished_at = now()
     WHERE id = $1 AND attempt = $2 AND state = 'working'
 RETURNING finished_at, pg_notify('uploads_finished', id::text)
"""
# What a reader of an upload gets, with its record and its attempts in one row.
VIEW = """
    SELECT u.id, u.platform, u.external_id, u.state, u.waiting_for, u.reused_from, u.outcome,
           u.verdict, u.decision_id IS NOT NULL AS decided, u.ruleset, u.version, u.received_at,
           u.finished_at, u.metadata,
           u.canonical_sha256, r.edited_sha256, r.thumbnail_sha256, r.raw_sha256, p.heat_sha256,
           r.description,
           p.facts || jsonb_build_object('confined', p.confined) AS proof,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'attempt', a.attempt, 'kind', a.kind,
                       'upstream', a.upstream, 'model', a.model,
                       'outcome', a.outcome, 'charged', a.charged,
                       'cost_microusd', a.cost_microusd,
                       'prompt_sha256', encode(a.prompt_sha256, 'hex'), 'detail', a.detail,
                       'started_at', a.started_at, 'finished_at', a.finished_at)
                   ORDER BY a.attempt), '[]')
              FROM attempts AS a WHERE a.upload_id = u.id) AS attempts,
           (SELECT jsonb_build_object('tries', f.tries, 'error', f.error)
              FROM fetches AS f WHERE f.upload_id = u.id) AS fetch
      FROM uploads AS u LEFT JOIN records AS r ON r.upload_id = u.id
      LEFT JOIN uploads AS o ON o.id = u.reused_from
      LEFT JOIN proofs AS p ON p.upload_id = coalesce(o.id, u.id)
                           AND p.attempt = coalesce(o.attempt, u.attempt)
"""
_GET = VIEW + "WHERE u.id = $1 AND ($2::text IS NULL OR u.platform = $2)"
_FINISHED_OF = """
    SELECT id FROM uploads
     WHERE id = ANY ($1::uuid[]) AND state NOT IN ('queued', 'working')
"""
_ENDED_BY = """
    SELECT state IN ('done', 'failed') FROM uploads WHERE id = $1 AND attempt = $2
"""
_BACKLOG = """
    SELECT state, count(*) AS uploads,
           coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 AS oldest_s
      FROM uploads WHERE state IN ('queued', 'working') GROUP BY state
"""


@dataclass(frozen=True, slots=True)
class NewUpload:
    """
    What is known of an upload when it is accepted.

    ``image_sha256`` names the received bytes, None while they are still to be fetched.
    ``max_cost_microusd`` is the most that all calls for it may cost, None if budgets alone say.
    """

    id: UUID
    platform: str
    external_id: str | None
    metadata: dict[str, object]
    image_sha256: bytes | None
    ruleset: str
    version: int
    max_cost_microusd: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """
    One upload held by one worker until the lease ends; ``attempt`` is the fence.

    ``taken_over``: it was held before, by a worker that let its lease run out.
    """

    id: UUID
    platform: str
    external_id: str | None
    image_sha256: bytes
    canonical_sha256: bytes | None
    ruleset: str
    version: int
    attempt: int
    charges: int
    max_cost_microusd: int | None
    taken_over: bool

    @property
    def again(self) -> bool:
        """Whether there may have been an attempt before; numbers only grow, from 1."""
        return self.attempt > 1


async def add(conn: Conn, upload: NewUpload) -> datetime:
    """Queue the upload and wake a worker at commit; tell when it was received."""
    received_at: datetime = await conn.fetchval(
        _ADD,
        upload.id,
        upload.platform,
        upload.external_id,
        upload.metadata,
        upload.image_sha256,
        upload.ruleset,
        upload.version,
        upload.max_cost_microusd,
    )
    return received_at


async def claim(
    conn: Conn,
    limit: int,
    lease: timedelta,
    name: UUID | None = None,
    *,
    now: datetime | None = None,
) -> list[Claim]:
    """
    Take up to ``limit`` (at most 64) due uploads, each of the platform with the fewest in flight.

    A platform's own are taken by due time; a dead worker's come due again by themselves.  By its
    ``name`` a claim that was not heard of can be undone.
    """
    return [Claim(**row) for row in await conn.fetch(_CLAIM, limit, lease, now, name)]


async def unclaim(conn: Conn, name: UUID) -> int:
    """Give back, uncharged, what a claim took on which nobody works; tell how many."""
    return len(await conn.fetch(_UNCLAIM, name))


async def renew(conn: Conn, held: dict[UUID, int], lease: timedelta) -> set[UUID]:
    """Extend the leases of the uploads held (id to attempt); tell which of them still are."""
    rows = await conn.fetch(_RENEW, list(held), list(held.values()), lease)
    return {row["id"] for row in rows}


async def hold(conn: Conn, upload: UUID, attempt: int) -> bool:
    """Keep the upload from being claimed meanwhile; False if the attempt no longer holds it."""
    return await conn.fetchval(_HOLD, upload, attempt) is not None


async def release(
    conn: Conn,
    upload: UUID,
    attempt: int,
    *,
    charged: bool,
    delay: timedelta,
    waiting_for: str | None = None,
) -> bool:
    """Give the upload back, due after ``delay``; False if the attempt no longer holds it."""
    row = await conn.fetchrow(_RELEASE, upload, attempt, charged, delay, waiting_for)
    return row is not None


async def wake_budget(conn: Conn, scope: str) -> int:
    """Let uploads that wait for a budget of this scope ask again now; tell how many."""
    return int(await conn.fetchval(_WAKE_BUDGET, scope))


async def wake_upstream(conn: Conn) -> int:
    """Let uploads that wait for an upstream ask again now; tell how many."""
    return int(await conn.fetchval(_WAKE_UPSTREAM))


async def waiting(conn: Conn) -> int:
    """Count the uploads that wait for an upstream."""
    return int(await conn.fetchval(_WAITING))


async def finish(
    conn: Conn, upload: UUID, attempt: int, state: str, outcome: str, verdict: str
) -> datetime | None:
    """End the upload and wake whoever waits; None if the attempt no longer holds it, else when."""
    at: datetime | None = await conn.fetchval(_FINISH, upload, attempt, state, outcome, verdict)
    return at


async def ended_by(conn: Conn, upload: UUID, attempt: int) -> bool:
    """Tell whether this very attempt ended the upload (asked after an unknown commit)."""
    return bool(await conn.fetchval(_ENDED_BY, upload, attempt))


async def get(conn: Conn, upload: UUID, platform: str | None) -> Row | None:
    """Read one upload with its record and attempts; only the platform's own where one is given."""
    return await conn.fetchrow(_GET, upload, platform)


async def finished_of(conn: Conn, uploads: list[UUID]) -> set[UUID]:
    """Tell which of these uploads are no longer queued or working."""
    return {row["id"] for row in await conn.fetch(_FINISHED_OF, uploads)}


async def backlog(conn: Conn) -> list[Row]:
    """Count unfinished uploads by state, with the age of the oldest in seconds."""
    return await conn.fetch(_BACKLOG)
