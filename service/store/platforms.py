"""Platforms: the tenants that send images."""

from service.store import Conn

# The platform that golden examples are run as: nobody has a token of it, nobody is called back, and
# its uploads stand among those of others only where they are asked for.
GOLDEN = "golden-examples"

_ADD = "INSERT INTO platforms (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING name"


async def add(conn: Conn, name: str) -> bool:
    """Add a platform; False if it was there."""
    return await conn.fetchval(_ADD, name) is not None
