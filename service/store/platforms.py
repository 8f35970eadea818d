"""Platforms: the tenants that send images."""

from service.store import Conn

_ADD = "INSERT INTO platforms (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING name"


async def add(conn: Conn, name: str) -> bool:
    """Add a platform; False if it was there."""
    return await conn.fetchval(_ADD, name) is not None
