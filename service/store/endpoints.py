"""Endpoints: where a platform is called back, for which events, and with which secrets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.store import Conn

_COLUMNS = """
    id, platform, url, events, old_secret_until, failing_since, disabled_at, disabled_reason,
    created_at
"""
_ADD = f"""
    INSERT INTO endpoints (id, platform, url, events, secrets) VALUES ($1, $2, $3, $4, ARRAY[$5])
 RETURNING {_COLUMNS}
"""  # noqa: S608  # a constant of ours
_LISTED = f"""
    SELECT {_COLUMNS} FROM endpoints
     WHERE ($1::text IS NULL OR platform = $1) AND ($2::uuid IS NULL OR id > $2)
     ORDER BY id LIMIT $3
"""  # noqa: S608  # a constant of ours
_GET = f"""
    SELECT {_COLUMNS} FROM endpoints
     WHERE id = $1 AND ($2::text IS NULL OR platform = $2) FOR NO KEY UPDATE
"""  # noqa: S608  # a constant of ours
# Two that are added at once are counted one after the other.
_HOLD_PLATFORM = """
    SELECT name, pg_advisory_xact_lock(hashtext('endpoints ' || name))
      FROM platforms WHERE name = $1
"""
_COUNT = "SELECT count(*) FROM endpoints WHERE platform = $1"
_CHANGE = "UPDATE endpoints SET url = $2, events = $3 WHERE id = $1"
_ENABLE = """
    UPDATE endpoints SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
     WHERE id = $1
 RETURNING pg_notify('callbacks_due', '')
"""
_DISABLE = """
    UPDATE endpoints SET disabled_at = now(), disabled_reason = $2
     WHERE id = $1 AND disabled_at IS NULL
 RETURNING id
"""
_ROTATE = """
    UPDATE endpoints SET secrets = ARRAY[$2, secrets[1]], old_secret_until = now() + $3::interval
     WHERE id = $1
"""
_REMOVE = "DELETE FROM endpoints WHERE id = $1"
_SUCCEEDED = """
    UPDATE endpoints SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL
"""
_FAILED = """
    UPDATE endpoints SET failing_since = coalesce(failing_since, now()) WHERE id = $1
 RETURNING now() - failing_since > $2::interval AND disabled_at IS NULL
"""
_STANDING = """
    SELECT count(*) FILTER (WHERE disabled_at IS NOT NULL) AS disabled,
           count(*) FILTER (WHERE disabled_at IS NULL AND failing_since IS NOT NULL) AS failing,
           count(*) FILTER (WHERE disabled_at IS NULL AND failing_since IS NULL) AS well
      FROM endpoints
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint without its secrets; the older of two is good until ``old_secret_until``."""

    id: UUID
    platform: str
    url: str
    events: list[str]
    old_secret_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime


async def add(
    conn: Conn, endpoint: UUID, platform: str, url: str, events: list[str], secret: str
) -> Endpoint:
    """Add an endpoint; it is told what ends from now on."""
    row = await conn.fetchrow(_ADD, endpoint, platform, url, events, secret)
    if row is None:
        raise LookupError(f"endpoint {endpoint} was not added")
    return Endpoint(**row)


async def listed(
    conn: Conn, platform: str | None, after: UUID | None, limit: int
) -> list[Endpoint]:
    """List endpoints from behind the id ``after``, a platform's own where one is given."""
    return [Endpoint(**row) for row in await conn.fetch(_LISTED, platform, after, limit)]


async def get(conn: Conn, endpoint: UUID, platform: str | None) -> Endpoint | None:
    """Read one and hold it until the transaction ends; the platform's own where one is given."""
    row = await conn.fetchrow(_GET, endpoint, platform)
    return Endpoint(**row) if row else None


async def hold_platform(conn: Conn, platform: str) -> bool:
    """Keep others from adding endpoints to it in this transaction; False if it is unknown."""
    return await conn.fetchval(_HOLD_PLATFORM, platform) is not None


async def count(conn: Conn, platform: str) -> int:
    """Count a platform's endpoints."""
    return int(await conn.fetchval(_COUNT, platform))


async def change(conn: Conn, endpoint: UUID, url: str, events: list[str]) -> None:
    """Call another address, or for other events."""
    await conn.execute(_CHANGE, endpoint, url, events)


async def enable(conn: Conn, endpoint: UUID) -> None:
    """Call it again; what waited meanwhile goes out."""
    await conn.execute(_ENABLE, endpoint)


async def disable(conn: Conn, endpoint: UUID, reason: str) -> bool:
    """Call it no more, and let what is due wait; False if it was disabled before."""
    return await conn.fetchval(_DISABLE, endpoint, reason) is not None


async def rotate(conn: Conn, endpoint: UUID, secret: str, overlap: timedelta) -> None:
    """Sign with a new secret, and for the time of ``overlap`` with the one before it too."""
    await conn.execute(_ROTATE, endpoint, secret, overlap)


async def remove(conn: Conn, endpoint: UUID) -> None:
    """Forget an endpoint, its secrets and what it was still to be told."""
    await conn.execute(_REMOVE, endpoint)


async def succeeded(conn: Conn, endpoint: UUID) -> None:
    """Note that it took a message."""
    await conn.execute(_SUCCEEDED, endpoint)


async def failed(conn: Conn, endpoint: UUID, bearable: timedelta) -> bool:
    """Note that it did not take a message; tell whether it has taken none for too long."""
    return bool(await conn.fetchval(_FAILED, endpoint, bearable))


async def standing(conn: Conn) -> dict[str, int]:
    """Count the endpoints that are ``well``, ``failing`` and ``disabled``."""
    row = await conn.fetchrow(_STANDING)
    return dict(row) if row else {}
