"""Which stored picture an example of a version means by its path; append-only."""

from service.store import Conn

_ADD = """
    INSERT INTO example_pictures (ruleset, version, path, sha256) VALUES ($1, $2, $3, $4)
        ON CONFLICT (ruleset, version, path) DO NOTHING
"""
_INHERIT = """
    INSERT INTO example_pictures (ruleset, version, path, sha256)
    SELECT DISTINCT ON (path) ruleset, $2::integer, path, sha256
      FROM example_pictures
     WHERE ruleset = $1 AND version < $2 AND path = ANY ($3::text[])
     ORDER BY path, version DESC
        ON CONFLICT (ruleset, version, path) DO NOTHING
"""
_ALL = "SELECT path, sha256 FROM example_pictures WHERE ruleset = $1 AND version = $2"
_STORED = "SELECT sha256 FROM images WHERE sha256 = ANY ($1::bytea[])"


async def add(conn: Conn, ruleset: str, version: int, path: str, sha256: bytes) -> None:
    """Say which picture the path means, unless that is said already."""
    await conn.execute(_ADD, ruleset, version, path, sha256)


async def inherit(conn: Conn, ruleset: str, version: int, paths: list[str]) -> None:
    """Take what these paths meant in the newest version before, unless that is said already."""
    await conn.execute(_INHERIT, ruleset, version, paths)


async def all_of(conn: Conn, ruleset: str, version: int) -> dict[str, bytes]:
    """Tell which picture each path means that the version's examples name."""
    return {row["path"]: row["sha256"] for row in await conn.fetch(_ALL, ruleset, version)}


async def stored(conn: Conn, digests: list[bytes]) -> set[bytes]:
    """Tell which of these pictures are stored."""
    return {row["sha256"] for row in await conn.fetch(_STORED, digests)}
