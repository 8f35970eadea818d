"""Platforms: adding them and changing their settings, each act entered in the audit trail."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from service.errors import InputRefused
from service.hooks.settings import REVEALED
from service.store import Conn, audit, platforms, rulesets
from service.store.platforms import Platform

# The table's constraints say the same.
PLATFORM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
RATES = (0.001, 1_000_000)
MOST = 2**53 - 1  # what every JSON reader takes as the integer it is


def check_name(name: str) -> None:
    """
    Check the name of a platform that people may use.

    Raises:
        InputRefused: It is no name, or the service's own platform's.
    """
    if not PLATFORM_NAME.fullmatch(name):
        raise InputRefused(
            "validation_failed",
            f"{name!r} is no platform's name; allowed: 1 to 63 of a-z, 0-9 and -, not - first",
        )
    if name == platforms.GOLDEN:
        raise InputRefused(
            "validation_failed", f"{name!r} is the service's own platform; choose another name"
        )


async def ensure(conn: Conn, name: str, actor: str) -> bool:
    """Add a platform; False if it was there."""
    check_name(name)
    async with conn.transaction():
        added = await platforms.add(conn, name)
        if added:
            await audit.add(conn, actor, "platform.create", name)
    return added


async def read(conn: Conn, name: str) -> Platform | None:
    """Read a platform with its settings and what it used today."""
    found = await platforms.listed(conn, name)
    return found[0] if found else None


async def create(conn: Conn, name: str, settings: Mapping[str, object], actor: str) -> Platform:
    """
    Add a platform with settings.

    Raises:
        InputRefused: There is one of this name, or a setting is none; then nothing was added.
    """
    async with conn.transaction():
        if not await ensure(conn, name, actor):
            raise InputRefused("platform_exists", f"there is a platform {name!r} already")
        return await change(conn, name, settings, actor)


async def change(
    conn: Conn,
    name: str,
    settings: Mapping[str, object],
    actor: str,
    expected: Sequence[str] | None = None,
) -> Platform:
    """
    Change those settings of a platform that are given; None takes one back.

    Args:
        settings: Values by name; those of ``fetching`` and ``hooks`` are models.
        expected: The revisions that may be changed, None if any.

    Raises:
        InputRefused: It is unknown, was changed meanwhile, or a setting is none.
    """
    async with conn.transaction():
        revision = await platforms.lock(conn, name)
        if revision is None or name == platforms.GOLDEN:
            raise InputRefused("not_found", f"there is no platform {name!r}")
        if expected is not None and str(revision) not in expected:
            raise InputRefused(
                "platform_changed", f"{name} is at revision {revision}, not {', '.join(expected)}"
            )
        ruleset = settings.get("default_ruleset")
        if ruleset is not None and await rulesets.live(conn, str(ruleset)) is None:
            raise InputRefused("ruleset_unknown", f"there is no live ruleset {ruleset!r}")
        if settings:
            await platforms.change(conn, name, _dumped(settings, REVEALED))
            await audit.add(conn, actor, "platform.set", name, **_dumped(settings, None))
        (found,) = await platforms.listed(conn, name)
    return found


def _dumped(settings: Mapping[str, object], context: Mapping[str, bool] | None) -> dict[str, Any]:
    """Write models as JSON, with their secrets where the context says so."""
    return {
        name: value.model_dump(mode="json", context=context, exclude_unset=True)
        if isinstance(value, BaseModel)
        else value
        for name, value in settings.items()
    }
