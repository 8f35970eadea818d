"""Bearer tokens, stored as sha256 of 256 random bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service import auth
from service.store import Conn

_ADD = """
    INSERT INTO tokens (id, sha256, role, platform, name, scopes, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (sha256) DO NOTHING
 RETURNING id
"""
# That it was used is written once a minute, so that using it costs nothing.
_FIND = """
    SELECT t.id, t.role, t.platform, t.name, t.scopes, t.expires_at,
           coalesce(t.expires_at <= now(), false) AS expired,
           t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute' AS unnoted,
           p.max_requests_per_s
      FROM tokens AS t LEFT JOIN platforms AS p ON p.name = t.platform
     WHERE t.sha256 = $1 AND t.revoked_at IS NULL
"""
# Of those that come at once, one writes and none waits.
_NOTE_USE = """
    UPDATE tokens SET last_used_at = now()
     WHERE id = (SELECT id FROM tokens WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
"""
_IS_ENDED = """
    SELECT revoked_at IS NOT NULL OR coalesce(expires_at <= now(), false)
      FROM tokens WHERE sha256 = $1
"""
_LIST = """
    SELECT id, role, platform, name, scopes, created_at, expires_at, last_used_at, revoked_at
      FROM tokens
     WHERE ($1::text IS NULL OR platform = $1) AND ($2::uuid IS NULL OR id = $2)
       AND ($3::uuid IS NULL OR id > $3)
     ORDER BY id
     LIMIT $4
"""
_REVOKE = """
    UPDATE tokens SET revoked_at = now()
     WHERE id = $1 AND revoked_at IS NULL AND ($2::text IS NULL OR platform = $2)
 RETURNING id
"""
# The new one lives as long as the old one was to live when it was made.
_SUCCEED = """
    WITH old AS (
        SELECT id, role, platform, name, scopes, expires_at - created_at AS lifetime
          FROM tokens
         WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
           FOR NO KEY UPDATE),
    ending AS (
        UPDATE tokens AS t SET expires_at = least(t.expires_at, now() + $4::interval)
          FROM old WHERE t.id = old.id)
    INSERT INTO tokens (id, sha256, role, platform, name, scopes, expires_at)
    SELECT $2, $3, role, platform, name, scopes, now() + lifetime FROM old
 RETURNING role
"""
_ROLE = "SELECT role FROM tokens WHERE id = $1"
_HOLD = "SELECT id FROM tokens WHERE id = $1 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Bearer:
    """
    Whom a token that is not revoked stands for; ``platform`` is set exactly for that role.

    ``scopes`` None are all that the role may do; ``unnoted``: its last use noted is over a minute
    old.  ``max_requests_per_s`` is the platform's.
    """

    id: UUID
    role: str
    platform: str | None
    name: str | None
    scopes: Sequence[str] | None
    expires_at: datetime | None
    expired: bool
    unnoted: bool
    max_requests_per_s: float | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be stored; None for a name, for all scopes of the role, and for ever."""

    id: UUID
    sha256: bytes
    role: str
    platform: str | None
    name: str | None = None
    scopes: Sequence[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A token as an administrator sees it; its value is not stored anywhere."""

    id: UUID
    role: str
    platform: str | None
    name: str | None
    scopes: Sequence[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


async def add(conn: Conn, new: NewToken) -> bool:
    """Store a token; False if the same one is stored already."""
    added = await conn.fetchval(
        _ADD, new.id, new.sha256, new.role, new.platform, new.name, new.scopes, new.expires_at
    )
    return added is not None


async def find(conn: Conn, sha256: bytes) -> Bearer | None:
    """Find whom a token stands for, unless it was revoked."""
    row = await conn.fetchrow(_FIND, sha256)
    return Bearer(**row) if row else None


async def note_use(conn: Conn, token: UUID) -> None:
    """Note that a token was used now."""
    await conn.execute(_NOTE_USE, token)


async def is_ended(conn: Conn, sha256: bytes) -> bool:
    """Tell whether a token was once good and is no longer."""
    return bool(await conn.fetchval(_IS_ENDED, sha256))


async def listed(
    conn: Conn,
    platform: str | None = None,
    token: UUID | None = None,
    *,
    after: UUID | None = None,
    limit: int | None = None,
) -> list[Listed]:
    """List every token, the oldest first; only the platform's, or only one, where given."""
    return [Listed(**row) for row in await conn.fetch(_LIST, platform, token, after, limit)]


async def role_of(conn: Conn, token: UUID) -> auth.Role | None:
    """Tell a token's role; None if there is none."""
    role: auth.Role | None = await conn.fetchval(_ROLE, token)
    return role


async def succeed(
    conn: Conn, token: UUID, successor: UUID, sha256: bytes, overlap: timedelta
) -> bool:
    """Store a token's successor, which ends the old one after ``overlap``; False if it is ended."""
    return await conn.fetchval(_SUCCEED, token, successor, sha256, overlap) is not None


async def revoke(conn: Conn, token: UUID, platform: str | None = None) -> bool:
    """End a token at once; False if there is none (of the platform), or it was revoked before."""
    return await conn.fetchval(_REVOKE, token, platform) is not None


async def hold(conn: Conn, token: UUID) -> None:
    """Let requests of this token take turns from here until the transaction ends."""
    await conn.execute(_HOLD, token)
