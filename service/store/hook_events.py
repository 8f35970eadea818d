"""Events of hooks by platform, preset and the sender's id, and the uploads they became."""

from uuid import UUID

from service.store import Conn

# Of two requests at once the second waits here until the first has ended.
_ADD = """
    INSERT INTO hook_events (platform, preset, event_id, upload_id)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
 RETURNING upload_id
"""
_GET = """
    SELECT upload_id FROM hook_events WHERE platform = $1 AND preset = $2 AND event_id = $3
"""


async def add(conn: Conn, platform: str, preset: str, event_id: str, upload: UUID) -> UUID:
    """
    Enter an event before the upload that it becomes, in one transaction.

    Returns:
        That upload, or the one that the event became before.
    """
    key = (platform, preset, event_id)
    added: UUID | None = await conn.fetchval(_ADD, *key, upload)
    return added or await conn.fetchval(_GET, *key)
