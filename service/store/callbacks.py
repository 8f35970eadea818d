"""The outbox: the final bytes of what a platform is told, beside what they tell."""

from uuid import UUID

from service.store import Conn

_ADD = "INSERT INTO callbacks (id, upload_id, type, body) VALUES ($1, $2, $3, $4)"


async def add(conn: Conn, callback: UUID, upload: UUID, kind: str, body: bytes) -> None:
    """Put a message of type ``kind`` into the outbox; its bytes never change."""
    await conn.execute(_ADD, callback, upload, kind, body)
