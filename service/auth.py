"""Bearer tokens: making one and the digest that is stored instead of it."""

import hashlib
import secrets
from typing import Literal, get_args

Role = Literal["platform", "moderator", "policy", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
# Characters below which a token could be guessed; ours have more.
SHORTEST = 32


def new_token(role: Role) -> str:
    """Make a token: its role, so that people can tell them apart, and 256 random bits."""
    return f"mod_{role}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> bytes:
    """Digest a token for the database; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()
