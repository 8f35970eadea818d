"""Releases: which version of a ruleset went live when; append-only by right and by trigger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.store import Conn

Kind = Literal["publish", "rollback"]

_ADD = """
    INSERT INTO releases (ruleset, version, kind, actor, reason, override, previous_version)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
 RETURNING ruleset, version, kind, actor, reason, override, previous_version, at
"""
_LIST = """
    SELECT ruleset, version, kind, actor, reason, override, previous_version, at
      FROM releases WHERE ruleset = $1 ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class NewRelease:
    """
    A version that is to go live.

    ``override``: although golden examples had failed.  ``previous_version`` was live before.
    """

    ruleset: str
    version: int
    kind: Kind
    actor: str
    reason: str | None
    override: bool
    previous_version: int | None


@dataclass(frozen=True, slots=True)
class Release(NewRelease):
    """A version that went live."""

    at: datetime


async def add(conn: Conn, new: NewRelease) -> Release:
    """Enter a release; the caller holds the ruleset's lock."""
    row = await conn.fetchrow(
        _ADD,
        new.ruleset,
        new.version,
        new.kind,
        new.actor,
        new.reason,
        new.override,
        new.previous_version,
    )
    if row is None:
        raise LookupError(f"the release of {new.ruleset}/{new.version} was not entered")
    return Release(**row)


async def listed(conn: Conn, ruleset: str) -> list[Release]:
    """List a ruleset's releases, the oldest first."""
    return [Release(**row) for row in await conn.fetch(_LIST, ruleset)]


def before(releases: Sequence[Release]) -> int | None:
    """
    Tell which version a rollback from the live one leads to; None where there is none before.

    A rollback undoes releases, so that a second one goes further back, and never forward again.
    """
    standing: list[int] = []
    for one in releases:
        if one.kind == "rollback" and one.version in standing:
            while standing[-1] != one.version:
                standing.pop()
        else:
            standing.append(one.version)
    return standing[-2] if len(standing) > 1 else None
