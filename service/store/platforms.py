"""Platforms: the tenants that send images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.store import Conn

# The platform that golden examples are run as: nobody has a token of it, nobody is called back, and
# its uploads stand among those of others only where they are asked for.
GOLDEN = "golden-examples"
SETTINGS = (
    *("default_ruleset", "reuse"),
    *("max_requests_per_s", "max_uploads_per_day", "max_bytes_per_day", "fetching", "hooks"),
)

_ADD = "INSERT INTO platforms (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING name"
_READ = """
    SELECT p.name, p.default_ruleset, p.reuse, p.max_requests_per_s,
           p.max_uploads_per_day, p.max_bytes_per_day, p.fetching, p.hooks,
           coalesce(d.uploads, 0) AS uploads_today,
           coalesce(d.bytes, 0) AS bytes_today, p.created_at, p.revision
      FROM platforms AS p
      LEFT JOIN intake_days AS d ON d.platform = p.name AND d.day = (now() AT TIME ZONE 'UTC')::date
     WHERE ($1::text IS NULL OR p.name = $1)
     ORDER BY p.name
"""
_LOCK = "SELECT revision FROM platforms WHERE name = $1 FOR NO KEY UPDATE"
_CHANGE = "UPDATE platforms SET {columns}, revision = revision + 1 WHERE name = $1"


@dataclass(frozen=True, slots=True)
class Platform:
    """
    A platform, its settings (None: the service's default, or no limit) and its use today.

    ``reuse``: the result of an image is the result of the same image sent again.  ``fetching`` and
    ``hooks`` are JSON and hold secrets.
    """

    name: str
    default_ruleset: str | None
    reuse: bool
    max_requests_per_s: float | None
    max_uploads_per_day: int | None
    max_bytes_per_day: int | None
    fetching: dict[str, Any] | None = field(repr=False)
    hooks: dict[str, Any] | None = field(repr=False)
    uploads_today: int
    bytes_today: int
    created_at: datetime
    revision: int


async def add(conn: Conn, name: str) -> bool:
    """Add a platform; False if it was there."""
    return await conn.fetchval(_ADD, name) is not None


async def listed(conn: Conn, name: str | None = None) -> list[Platform]:
    """List every platform by name, or only one."""
    return [Platform(**row) for row in await conn.fetch(_READ, name)]


async def lock(conn: Conn, name: str) -> int | None:
    """Keep others from changing the platform meanwhile; tell its revision, None if unknown."""
    revision: int | None = await conn.fetchval(_LOCK, name)
    return revision


async def change(conn: Conn, name: str, settings: Mapping[str, object]) -> None:
    """Set some of ``SETTINGS``; the caller holds the lock."""
    chosen = [one for one in SETTINGS if one in settings]
    columns = ", ".join(f"{one} = ${place}" for place, one in enumerate(chosen, 2))
    await conn.execute(_CHANGE.format(columns=columns), name, *(settings[one] for one in chosen))
