"""Bearer tokens: making one, the digest that is stored instead of it, and what one may do."""

import hashlib
import secrets
from typing import Literal, get_args

Role = Literal["platform", "moderator", "policy", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
# Characters below which a token could be guessed; ours have more.
SHORTEST = 32
# What comes after /v1/ in the address of an operation that needs a token.
SUBJECTS = (
    *("audit", "callbacks", "costs", "exposure-budgets", "hooks", "me", "platforms", "queues"),
    *("records", "reviews", "rulesets", "tokens", "uploads", "views"),
)
SCOPES = tuple(f"{subject}:{act}" for subject in SUBJECTS for act in ("read", "write"))


def new_token(role: Role) -> str:
    """Make a token: its role, so that people can tell them apart, and 256 random bits."""
    return f"mod_{role}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> bytes:
    """Digest a token for the database; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def scope_of(method: str, path: str) -> str:
    """Name the scope that an operation needs, so that no operation can be without one."""
    return f"{path.split('/')[2]}:{'read' if method in ('GET', 'HEAD') else 'write'}"
