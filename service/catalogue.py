"""What rulesets and versions there are, in which state, as the API and the command line show it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from service.errors import InputRefused
from service.policy import diffing, rulesets
from service.policy.diffing import Diff
from service.store import Conn, Row, releases
from service.store import rulesets as store

State = Literal["draft", "live", "retired"]


class States(BaseModel):
    """How many versions are in which state; a draft never was live, a retired one was."""

    draft: int
    live: int
    retired: int


class RulesetSummary(BaseModel):
    """A ruleset with its live version, if there is one, and its newest."""

    name: str
    title: str
    live_version: int | None
    newest_version: int
    states: States


class VersionHead(BaseModel):
    """A version; ``sha256`` is of its content, ``prompt_sha256`` of what is sent."""

    ruleset: str
    version: int
    state: State
    author: str
    note: str | None
    created_at: datetime
    sha256: str
    prompt_sha256: str


class RulesetView(RulesetSummary):
    """A ruleset with all its versions, the newest first."""

    versions: list[VersionHead]


class ReleaseView(BaseModel):
    """One time that a version went live, in place of ``previous_version``."""

    model_config = ConfigDict(from_attributes=True)

    ruleset: str
    version: int
    kind: releases.Kind
    actor: str
    reason: str | None
    override: bool
    previous_version: int | None
    at: datetime


class VersionView(VersionHead):
    """All of a version; ``source`` is as it was written, ``content`` what it says."""

    content: dict[str, Any]
    source: str
    releases: list[ReleaseView]


async def listed(conn: Conn) -> list[RulesetSummary]:
    """List every ruleset."""
    return [_summary(row) for row in await store.listed(conn)]


async def ruleset(conn: Conn, name: str) -> RulesetView:
    """
    Show a ruleset with its versions.

    Raises:
        InputRefused: ``not_found``.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        rows = await store.listed(conn, name)
        if not rows:
            raise InputRefused("not_found", f"there is no ruleset {name!r}")
        versions = [VersionHead(**row) for row in await store.versions(conn, name)]
    return RulesetView(**_summary(rows[0]).model_dump(), versions=versions)


async def version(conn: Conn, name: str, number: int) -> VersionView:
    """
    Show all of a version.

    Raises:
        InputRefused: ``not_found``.
    """
    row = await find(conn, name, number)
    released = [one for one in await releases.listed(conn, name) if one.version == number]
    return VersionView.model_validate({**row, "releases": released})


async def find(conn: Conn, name: str, number: int) -> Row:
    """
    Read a version with its prompt and schema.

    Raises:
        InputRefused: ``not_found``.
    """
    row = await store.read(conn, name, number)
    if row is None:
        raise InputRefused("not_found", f"ruleset {name!r} has no version {number}")
    return row


async def diff(conn: Conn, name: str, old: int, new: int) -> Diff:
    """
    Tell what one version changes of another.

    Raises:
        InputRefused: ``not_found``.
    """
    one, two = [
        rulesets.of_content((await find(conn, name, number))["content"]) for number in (old, new)
    ]
    return diffing.diff(one, two)


def _summary(row: Row) -> RulesetSummary:
    values = dict(row)
    states = States(**{state: values.pop(state) for state in States.model_fields})
    return RulesetSummary(**values, states=states)
