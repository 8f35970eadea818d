"""Runs of golden examples; what came of each example is read from its upload."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from service import scoring
from service.policy import rulesets
from service.policy.rulesets import Ruleset
from service.scoring import Expected, Got, Result
from service.store import Conn

_ADD = """
    INSERT INTO trials (id, ruleset, version, actor, quoted_microusd) VALUES ($1, $2, $3, $4, $5)
"""
_ADD_EXAMPLE = "INSERT INTO trial_examples (trial_id, position, upload_id) VALUES ($1, $2, $3)"
_LISTED = """
    SELECT id, actor, quoted_microusd, started_at
      FROM trials
     WHERE ruleset = $1 AND version = $2 AND ($3::uuid IS NULL OR id < $3)
     ORDER BY id DESC LIMIT $4
"""
_GET = """
    SELECT id, actor, quoted_microusd, started_at
      FROM trials WHERE ruleset = $1 AND version = $2 AND id = $3
"""
_NEWEST = """
    SELECT id FROM trials AS t
     WHERE ruleset = $1 AND version = $2
       AND $3 = EXISTS (SELECT FROM trial_examples AS e JOIN uploads AS u ON u.id = e.upload_id
                         WHERE e.trial_id = t.id AND u.state IN ('queued', 'working'))
     ORDER BY id DESC LIMIT 1
"""
_CONTENT = "SELECT content FROM ruleset_versions WHERE ruleset = $1 AND version = $2"
_EXAMPLES = """
    SELECT e.position, e.upload_id, u.state, u.waiting_for, u.outcome,
           coalesce(r.rules, '{}') AS rules,
           coalesce(r.description -> 'not_assessed', '[]') AS not_assessed,
           r.upload_id IS NOT NULL AS described,
           (SELECT count(*) FROM attempts AS a WHERE a.upload_id = u.id) AS calls,
           (SELECT coalesce(sum(coalesce(a.cost_microusd, a.reserved_microusd)), 0)::bigint
              FROM attempts AS a WHERE a.upload_id = u.id) AS cost_microusd
      FROM trial_examples AS e
      JOIN uploads AS u ON u.id = e.upload_id
      LEFT JOIN records AS r ON r.upload_id = u.id
     WHERE e.trial_id = $1
     ORDER BY e.position
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A run: who started it, when, and the most that it may cost."""

    id: UUID
    actor: str
    quoted_microusd: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one example; ``position`` is its place in the version, from 0."""

    position: int
    upload_id: UUID
    state: str
    waiting_for: str | None
    outcome: str | None
    rules: Sequence[str]
    not_assessed: Sequence[str]
    described: bool
    calls: int
    cost_microusd: int

    @property
    def got(self) -> Got:
        """The outcome as it is scored."""
        return Got(
            self.outcome, self.described, frozenset(self.rules), frozenset(self.not_assessed)
        )


async def add(
    conn: Conn, trial: UUID, ruleset: str, version: int, actor: str, quoted_microusd: int
) -> None:
    """Enter a run."""
    await conn.execute(_ADD, trial, ruleset, version, actor, quoted_microusd)


async def add_example(conn: Conn, trial: UUID, position: int, upload: UUID) -> None:
    """Enter the upload that an example of the run is."""
    await conn.execute(_ADD_EXAMPLE, trial, position, upload)


async def running(conn: Conn, ruleset: str, version: int) -> UUID | None:
    """Find the run of a version that has not ended."""
    found: UUID | None = await conn.fetchval(_NEWEST, ruleset, version, True)
    return found


async def get(conn: Conn, ruleset: str, version: int, trial: UUID) -> Trial | None:
    """Read a run of this version."""
    row = await conn.fetchrow(_GET, ruleset, version, trial)
    return Trial(**row) if row else None


async def listed(
    conn: Conn, ruleset: str, version: int, *, after: UUID | None, limit: int
) -> list[Trial]:
    """List the runs of a version, the newest first, from behind the id ``after``."""
    return [Trial(**row) for row in await conn.fetch(_LISTED, ruleset, version, after, limit)]


async def examples(conn: Conn, trial: UUID) -> list[Tried]:
    """Read what became of each example of a run so far."""
    return [Tried(**row) for row in await conn.fetch(_EXAMPLES, trial)]


async def last(conn: Conn, ruleset: str, version: int) -> Result | Literal["not_run"]:
    """Tell how the last run of a version that has ended came out."""
    trial: UUID | None = await conn.fetchval(_NEWEST, ruleset, version, False)
    if trial is None:
        return "not_run"
    content = rulesets.of_content(await conn.fetchval(_CONTENT, ruleset, version))
    pairs = paired(content, await examples(conn, trial))
    judged = [rule.id for rule in content.judged]
    return scoring.result(pairs, judged)


def paired(ruleset: Ruleset, tried: Sequence[Tried]) -> list[tuple[Expected, Got]]:
    """Put what each example expects beside what became of it."""
    named = [ruleset.examples[one.position] for one in tried]
    return [
        (Expected(frozenset(example.rules), example.outcome), one.got)
        for example, one in zip(named, tried, strict=True)
    ]
