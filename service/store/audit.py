"""Who did what; append-only by right and by trigger."""

from service.store import Conn

_ADD = "INSERT INTO audit (actor, action, subject, detail) VALUES ($1, $2, $3, $4)"


async def add(conn: Conn, actor: str, action: str, subject: str, **detail: object) -> None:
    """Enter one act; the clock is the database's."""
    await conn.execute(_ADD, actor, action, subject, detail)
