"""Rulesets and their immutable versions."""

from dataclasses import dataclass
from typing import Any

from service.store import Conn, Row

_ADD_NAME = "INSERT INTO rulesets (name) VALUES ($1) ON CONFLICT (name) DO NOTHING"
_LOCK = "SELECT live_version FROM rulesets WHERE name = $1 FOR UPDATE"
_FIND = "SELECT version FROM ruleset_versions WHERE ruleset = $1 AND sha256 = $2"
_NEXT = "SELECT coalesce(max(version), 0) + 1 FROM ruleset_versions WHERE ruleset = $1"
_ADD = """
    INSERT INTO ruleset_versions
           (ruleset, version, sha256, source, content, prompt, prompt_sha256, schema, author, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_PUBLISH = "UPDATE rulesets SET live_version = $2 WHERE name = $1"
_LIVE = "SELECT live_version FROM rulesets WHERE name = $1"
_GET = """
    SELECT content::text AS content_text, prompt, prompt_sha256, schema
      FROM ruleset_versions WHERE ruleset = $1 AND version = $2
"""
_CONTENTS = "SELECT content FROM ruleset_versions WHERE ruleset = $1 ORDER BY version"
_STATE = """
    CASE WHEN v.version = r.live_version THEN 'live'
         WHEN EXISTS (SELECT FROM releases AS e
                       WHERE e.ruleset = v.ruleset AND e.version = v.version) THEN 'retired'
         ELSE 'draft' END AS state
"""
_HEAD = f"""
    SELECT v.ruleset, v.version, {_STATE}, v.author, v.note, v.created_at,
           encode(v.sha256, 'hex') AS sha256, encode(v.prompt_sha256, 'hex') AS prompt_sha256
"""
_FROM = """
      FROM ruleset_versions AS v JOIN rulesets AS r ON r.name = v.ruleset
     WHERE v.ruleset = $1
"""
_VERSIONS = f"{_HEAD} {_FROM} ORDER BY v.version DESC"
_READ = f"{_HEAD}, v.content, v.source, v.prompt, v.schema {_FROM} AND v.version = $2"
# The title shown is that of the live version, else of the newest.
_LIST = f"""
    SELECT r.name, r.live_version, max(v.version) AS newest_version,
           coalesce((array_agg(v.content ->> 'title') FILTER (WHERE v.state = 'live'))[1],
                    (array_agg(v.content ->> 'title' ORDER BY v.version DESC))[1]) AS title,
           count(*) FILTER (WHERE v.state = 'draft') AS draft,
           count(*) FILTER (WHERE v.state = 'live') AS live,
           count(*) FILTER (WHERE v.state = 'retired') AS retired
      FROM rulesets AS r
     CROSS JOIN LATERAL (
           SELECT v.version, v.content, {_STATE}
             FROM ruleset_versions AS v WHERE v.ruleset = r.name) AS v
     WHERE $1::text IS NULL OR r.name = $1
     GROUP BY r.name
     ORDER BY r.name
"""  # noqa: S608  # what stands in it are constants


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
    note: str | None = None


async def lock(conn: Conn, name: str) -> int | None:
    """
    Make sure the name exists and hold it; tell which version is live.

    So versions are numbered, and go live, one at a time.
    """
    await conn.execute(_ADD_NAME, name)
    version: int | None = await conn.fetchval(_LOCK, name)
    return version


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
        new.note,
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


async def read(conn: Conn, name: str, version: int) -> Row | None:
    """Read all of a version, with its state."""
    return await conn.fetchrow(_READ, name, version)


async def versions(conn: Conn, name: str) -> list[Row]:
    """List a ruleset's versions with their states, the newest first."""
    return await conn.fetch(_VERSIONS, name)


async def contents(conn: Conn, name: str) -> list[dict[str, Any]]:
    """Give the content of every version, the oldest first."""
    return [row["content"] for row in await conn.fetch(_CONTENTS, name)]


async def listed(conn: Conn, name: str | None = None) -> list[Row]:
    """List every ruleset that has versions, or one; and how many of them are in which state."""
    return await conn.fetch(_LIST, name)
