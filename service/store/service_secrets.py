"""Keys that all processes of the service share, made by a migration and never changed."""

from service.store import Conn

_GET = "SELECT value FROM service_secrets WHERE name = $1"


async def get(conn: Conn, name: str) -> bytes:
    """
    Read a key.

    Raises:
        LookupError: There is none of this name.
    """
    value: bytes | None = await conn.fetchval(_GET, name)
    if value is None:
        raise LookupError(f"there is no secret {name!r}")
    return value
