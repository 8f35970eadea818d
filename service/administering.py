"""Tokens: making, keeping, replacing and ending them, each act entered in the audit trail."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from service import auth, enrolling, ids
from service.errors import InputRefused, StartRefused
from service.store import Conn, audit, tokens
from service.store.tokens import NewToken

ACTOR = "command line"
DEFAULT_PLATFORM = "default"


@dataclass(frozen=True, slots=True)
class Order:
    """A token that somebody asks for; None for a name, for all scopes of the role, for ever."""

    role: auth.Role
    platform: str | None = None
    name: str | None = None
    scopes: Sequence[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new token and its only copy."""

    id: UUID
    token: str


async def create_token(conn: Conn, order: Order, actor: str = ACTOR) -> Made:
    """
    Make a token; an unknown platform is added.

    Raises:
        InputRefused: A platform without the role platform, or the other way round; scopes that are
            none.
    """
    if (order.role == "platform") != (order.platform is not None):
        raise InputRefused(
            "validation_failed", "the role platform needs --platform NAME, and no other takes one"
        )
    if order.platform is not None:
        enrolling.check_name(order.platform)
    _check_scopes(order.scopes)
    token, token_id = auth.new_token(order.role), ids.uuid7()
    new = NewToken(
        token_id,
        auth.digest(token),
        order.role,
        order.platform,
        order.name,
        order.scopes,
        order.expires_at,
    )
    await _keep(conn, new, actor)
    return Made(token_id, token)


async def rotate_token(conn: Conn, token: UUID, overlap: timedelta) -> Made:
    """
    Make a token that may do the same; the old one ends after ``overlap``.

    Raises:
        InputRefused: There is no such token, or it has ended already.
    """
    role = await tokens.role_of(conn, token)
    if role is None:
        raise InputRefused("not_found", f"there is no token {token}")
    made = Made(ids.uuid7(), auth.new_token(role))
    async with conn.transaction():
        if not await tokens.succeed(conn, token, made.id, auth.digest(made.token), overlap):
            raise InputRefused("not_found", f"token {token} has ended; make another with `create`")
        facts = {"successor": str(made.id), "overlap_s": overlap.total_seconds()}
        await audit.add(conn, ACTOR, "token.rotate", str(token), **facts)
    return made


async def revoke_token(
    conn: Conn, token: UUID, platform: str | None = None, actor: str = ACTOR
) -> bool:
    """End a token (of the platform) at once; False if it is unknown or was revoked before."""
    async with conn.transaction():
        revoked = await tokens.revoke(conn, token, platform)
        if revoked:
            await audit.add(conn, actor, "token.revoke", str(token))
    return revoked


async def first_tokens(conn: Conn, path: Path) -> dict[str, str]:
    """
    Keep one token of each role in a file of mode 0600; a missing or ended one is made anew.

    Returns:
        Role to token.
    """
    kept = read_tokens(path)
    missing: dict[str, str] = {
        role: auth.new_token(role)
        for role in auth.ROLES
        if role not in kept or await tokens.is_ended(conn, auth.digest(kept[role]))
    }
    if missing:
        kept |= missing
        _write(path, kept)
    for role in auth.ROLES:
        platform = DEFAULT_PLATFORM if role == "platform" else None
        new = NewToken(ids.uuid7(), auth.digest(kept[role]), role, platform)
        await _keep(conn, new, ACTOR)
    return kept


def _check_scopes(scopes: Sequence[str] | None) -> None:
    unknown = sorted(set(scopes or ()) - set(auth.SCOPES))
    if unknown or (scopes is not None and not scopes):
        raise InputRefused(
            "validation_failed",
            f"{', '.join(unknown) or 'nothing'} is no scope; allowed: {', '.join(auth.SCOPES)}",
        )


async def _keep(conn: Conn, new: NewToken, actor: str) -> None:
    async with conn.transaction():
        if new.platform is not None:
            await enrolling.ensure(conn, new.platform, actor)
        if await tokens.add(conn, new):
            await audit.add(conn, actor, "token.create", str(new.id), role=new.role)


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
