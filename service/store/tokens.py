"""Bearer tokens, stored as sha256 of 256 random bits."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.store import Conn

_ADD = """
    INSERT INTO tokens (id, sha256, role, platform) VALUES ($1, $2, $3, $4)
    ON CONFLICT (sha256) DO NOTHING
 RETURNING id
"""
_FIND = "SELECT id, role, platform FROM tokens WHERE sha256 = $1 AND revoked_at IS NULL"
_IS_REVOKED = "SELECT revoked_at IS NOT NULL FROM tokens WHERE sha256 = $1"
_LIST = "SELECT id, role, platform, created_at, revoked_at FROM tokens ORDER BY id"
_REVOKE = "UPDATE tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a valid token stands for; ``platform`` is set exactly for the role platform."""

    id: UUID
    role: str
    platform: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A token as an administrator sees it; its value is not stored anywhere."""

    id: UUID
    role: str
    platform: str | None
    created_at: datetime
    revoked_at: datetime | None


async def add(conn: Conn, token: UUID, sha256: bytes, role: str, platform: str | None) -> bool:
    """Store a token; False if the same one is stored already."""
    return await conn.fetchval(_ADD, token, sha256, role, platform) is not None


async def find(conn: Conn, sha256: bytes) -> Bearer | None:
    """Find whom a token stands for, unless it was revoked."""
    row = await conn.fetchrow(_FIND, sha256)
    return Bearer(**row) if row else None


async def is_revoked(conn: Conn, sha256: bytes) -> bool:
    """Tell whether a token was once good and is no longer."""
    return bool(await conn.fetchval(_IS_REVOKED, sha256))


async def listed(conn: Conn) -> list[Listed]:
    """List every token, the oldest first."""
    return [Listed(**row) for row in await conn.fetch(_LIST)]


async def revoke(conn: Conn, token: UUID) -> bool:
    """End a token at once; False if there is none or it was revoked before."""
    return await conn.fetchval(_REVOKE, token) is not None
