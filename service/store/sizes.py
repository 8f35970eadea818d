"""How much there is: of uploads that are not finished, and of the whole database."""

from service.store import Conn

# An index has just these rows, and no more of them are read than are asked for.
_UNFINISHED = """
    SELECT count(*)
      FROM (SELECT FROM uploads WHERE state IN ('queued', 'working') LIMIT $1) AS unfinished
"""


async def unfinished(conn: Conn, most: int) -> int:
    """Count the uploads that are queued or worked on, up to ``most``."""
    return int(await conn.fetchval(_UNFINISHED, most))


async def database_bytes(conn: Conn) -> int:
    """Tell the bytes that the database takes on the server's disk, without its log."""
    return int(await conn.fetchval("SELECT pg_database_size(current_database())"))
