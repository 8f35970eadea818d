"""Rulesets and their immutable versions."""

from dataclasses import dataclass

from service.store import Conn, Row

_ADD_NAME = "INSERT INTO rulesets (name) VALUES ($1) ON CONFLICT (name) DO NOTHING"
_LOCK = "SELECT name FROM rulesets WHERE name = $1 FOR UPDATE"
_FIND = "SELECT version FROM ruleset_versions WHERE ruleset = $1 AND sha256 = $2"
_NEXT = "SELECT coalesce(max(version), 0) + 1 FROM ruleset_versions WHERE ruleset = $1"
_ADD = """
    INSERT INTO ruleset_versions
           (ruleset, version, sha256, source, content, prompt, prompt_sha256, schema, author)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_PUBLISH = "UPDATE rulesets SET live_version = $2 WHERE name = $1"
_LIVE = "SELECT live_version FROM rulesets WHERE name = $1"
_GET = """
    SELECT content::text AS content_text, prompt, prompt_sha256, schema
      FROM ruleset_versions WHERE ruleset = $1 AND version = $2
"""
_LIST = """
    SELECT r.name, r.live_version, v.content ->> 'title' AS title, v.sha256, v.created_at
      FROM rulesets AS r
      LEFT JOIN ruleset_versions AS v ON v.ruleset = r.name AND v.version = r.live_version
     ORDER BY r.name
"""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be kept for ever: the text given, its content, and what is rendered from it."""

    ruleset: str
    version: int
    sha256: bytes
    source: str
    content: dict[str, object]
    prompt: str
    prompt_sha256: bytes
    schema: dict[str, object]
    author: str


async def lock(conn: Conn, name: str) -> None:
    """Make sure the name exists and hold it, so that versions are numbered one at a time."""
    await conn.execute(_ADD_NAME, name)
    await conn.execute(_LOCK, name)


async def find(conn: Conn, name: str, sha256: bytes) -> int | None:
    """Find the version with this content."""
    version: int | None = await conn.fetchval(_FIND, name, sha256)
    return version


async def next_number(conn: Conn, name: str) -> int:
    """Tell the number of the version after the newest; the caller holds the lock."""
    return int(await conn.fetchval(_NEXT, name))


async def add(conn: Conn, new: NewVersion) -> None:
    """Keep a version."""
    await conn.execute(
        _ADD,
        new.ruleset,
        new.version,
        new.sha256,
        new.source,
        new.content,
        new.prompt,
        new.prompt_sha256,
        new.schema,
        new.author,
    )


async def publish(conn: Conn, name: str, version: int) -> None:
    """Make a version the live one."""
    await conn.execute(_PUBLISH, name, version)


async def live(conn: Conn, name: str) -> int | None:
    """Tell the live version's number; None for an unknown ruleset."""
    version: int | None = await conn.fetchval(_LIVE, name)
    return version


async def get(conn: Conn, name: str, version: int) -> Row:
    """Read a version that a foreign key says is there."""
    row = await conn.fetchrow(_GET, name, version)
    if row is None:
        raise LookupError(f"ruleset {name} has no version {version}")
    return row


async def listed(conn: Conn) -> list[Row]:
    """List every ruleset with its live version."""
    return await conn.fetch(_LIST)
