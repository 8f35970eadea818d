"""Tokens: making, keeping and ending them, each act entered in the audit trail."""

import json
import os
import re
from pathlib import Path
from uuid import UUID

from service import auth, ids
from service.errors import InputRefused, StartRefused
from service.store import Conn, audit, platforms, tokens

ACTOR = "command line"
DEFAULT_PLATFORM = "default"
# The table's constraint says the same.
PLATFORM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


async def create_token(conn: Conn, role: auth.Role, platform: str | None) -> str:
    """
    Make a token for a role and return its only copy; an unknown platform is added.

    Raises:
        InputRefused: A platform without the role platform, or the other way round.
    """
    if (role == "platform") != (platform is not None):
        raise InputRefused(
            "validation_failed", "the role platform needs --platform NAME, and no other takes one"
        )
    if platform is not None and not PLATFORM_NAME.fullmatch(platform):
        raise InputRefused(
            "validation_failed",
            f"{platform!r} is no platform's name; allowed: 1 to 63 of a-z, 0-9 and -, not - first",
        )
    if platform == platforms.GOLDEN:
        raise InputRefused(
            "validation_failed", f"{platform!r} is the service's own platform; choose another name"
        )
    token = auth.new_token(role)
    await _keep(conn, token, role, platform)
    return token


async def revoke_token(conn: Conn, token: UUID) -> bool:
    """End a token at once; False if it is unknown or was revoked before."""
    async with conn.transaction():
        revoked = await tokens.revoke(conn, token)
        if revoked:
            await audit.add(conn, ACTOR, "token.revoke", str(token))
    return revoked


async def first_tokens(conn: Conn, path: Path) -> dict[str, str]:
    """
    Keep one token of each role in a file of mode 0600; a missing or revoked one is made anew.

    Returns:
        Role to token.
    """
    kept = read_tokens(path)
    missing: dict[str, str] = {
        role: auth.new_token(role)
        for role in auth.ROLES
        if role not in kept or await tokens.is_revoked(conn, auth.digest(kept[role]))
    }
    if missing:
        kept |= missing
        _write(path, kept)
    for role in auth.ROLES:
        platform = DEFAULT_PLATFORM if role == "platform" else None
        await _keep(conn, kept[role], role, platform)
    return kept


async def _keep(conn: Conn, token: str, role: auth.Role, platform: str | None) -> None:
    async with conn.transaction():
        if platform is not None and await platforms.add(conn, platform):
            await audit.add(conn, ACTOR, "platform.create", platform)
        token_id = ids.uuid7()
        if await tokens.add(conn, token_id, auth.digest(token), role, platform):
            await audit.add(conn, ACTOR, "token.create", str(token_id), role=role)


def read_tokens(path: Path) -> dict[str, str]:
    """Read the file that `first_tokens` keeps, role to token; empty where there is none."""
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise StartRefused(f"{path} is not a JSON object of role to token: {error}") from error
    # A damaged value must never become a token that can be guessed.
    if not isinstance(kept, dict) or not all(_is_token(value) for value in kept.values()):
        raise StartRefused(
            f"{path} is not a JSON object of role to token; put it right or remove it, "
            "then new tokens are made"
        )
    return kept


def _is_token(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and len(value) >= auth.SHORTEST


def _write(path: Path, kept: dict[str, str]) -> None:
    """Replace the file whole, never readable by others at any moment."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(kept, file, indent=2)
    fresh.replace(path)
