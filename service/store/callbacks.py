"""The outbox: the final bytes of what a platform is told, beside what they tell."""

from datetime import datetime
from uuid import UUID

from service.store import Conn, Row

_ADD = "INSERT INTO callbacks (id, upload_id, type, body) VALUES ($1, $2, $3, $4)"
_LOG = """
    SELECT c.id, c.upload_id, u.platform, c.type, c.created_at,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'endpoint', j.endpoint, 'state', j.state,
                       'due_at', CASE WHEN j.state = 'waiting' THEN j.due_at END)
                   ORDER BY j.endpoint), '[]')
              FROM delivery_jobs AS j WHERE j.callback_id = c.id) AS endpoints,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'endpoint', d.endpoint, 'url', d.url, 'attempt', d.attempt,
                       'status', d.status, 'error', d.error, 'started_at', d.started_at,
                       'finished_at', d.finished_at, 'delivered_at', d.delivered_at)
                   ORDER BY d.started_at, d.endpoint, d.attempt), '[]')
              FROM deliveries AS d WHERE d.callback_id = c.id) AS deliveries
      FROM callbacks AS c JOIN uploads AS u ON u.id = c.upload_id
     WHERE ($1::text IS NULL OR u.platform = $1)
       AND ($2::uuid IS NULL OR c.upload_id = $2)
       AND ($3::text IS NULL OR EXISTS (
               SELECT FROM delivery_jobs AS j WHERE j.callback_id = c.id AND j.state = $3))
       AND ($4::uuid IS NULL OR c.id < $4)
     ORDER BY c.id DESC
     LIMIT $5
"""
_EXISTS = """
    SELECT EXISTS (SELECT FROM callbacks AS c JOIN uploads AS u ON u.id = c.upload_id
                    WHERE c.id = $1 AND ($2::text IS NULL OR u.platform = $2))
"""
# A try that is under way keeps its lease: what it brings is not known yet.
_REDELIVER = """
    INSERT INTO delivery_jobs AS j (callback_id, endpoint)
    SELECT c.id, e.id
      FROM callbacks AS c
      JOIN uploads AS u ON u.id = c.upload_id
      JOIN endpoints AS e ON e.platform = u.platform AND c.type = ANY (e.events)
     WHERE ($1::text IS NULL OR u.platform = $1)
       AND ($2::uuid IS NULL OR c.id = $2)
       AND ($3::timestamptz IS NULL OR c.created_at >= $3)
       AND ($4::timestamptz IS NULL OR c.created_at < $4)
       AND ($5::uuid IS NULL OR e.id = $5)
       AND ($6::text IS NULL OR EXISTS (
               SELECT FROM delivery_jobs AS had
                WHERE had.callback_id = c.id AND had.endpoint = e.id AND had.state = $6))
     ORDER BY c.id, e.id
        ON CONFLICT (callback_id, endpoint) DO UPDATE
       SET state = 'waiting', tries = 0, due_at = now()
     WHERE j.state <> 'waiting'
        OR NOT EXISTS (SELECT FROM deliveries AS d
                        WHERE d.callback_id = j.callback_id AND d.endpoint = j.endpoint
                          AND d.attempt = j.attempt AND d.finished_at IS NULL)
 RETURNING pg_notify('callbacks_due', '')
"""


async def add(conn: Conn, callback: UUID, upload: UUID, kind: str, body: bytes) -> None:
    """Put a message of type ``kind`` into the outbox; its bytes never change."""
    await conn.execute(_ADD, callback, upload, kind, body)


async def log(
    conn: Conn,
    platform: str | None,
    *,
    upload: UUID | None,
    state: str | None,
    after: UUID | None,
    limit: int,
) -> list[Row]:
    """List messages with every try, the newest first, from behind the id ``after``."""
    return await conn.fetch(_LOG, platform, upload, state, after, limit)


async def exists(conn: Conn, callback: UUID, platform: str | None) -> bool:
    """Tell whether there is such a message; only the platform's own where one is given."""
    return bool(await conn.fetchval(_EXISTS, callback, platform))


async def redeliver(
    conn: Conn,
    platform: str | None,
    *,
    callback: UUID | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    endpoint: UUID | None = None,
    state: str | None = None,
) -> int:
    """
    Queue messages once more, to endpoints that are newer than they too; tell how many deliveries.

    Those of which a try is under way stay as they are.  ``state`` is what a delivery came to.
    """
    rows = await conn.fetch(_REDELIVER, platform, callback, begin, end, endpoint, state)
    return len(rows)
