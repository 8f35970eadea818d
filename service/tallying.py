"""What came of a run of golden examples, as the API and the command line show it."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from service import catalogue, scoring
from service.errors import InputRefused
from service.policy import rulesets
from service.policy.rulesets import Ruleset
from service.scoring import Result, Status
from service.store import Conn, trials
from service.store.trials import Trial, Tried


class ExampleCounts(BaseModel):
    """How many examples came out how; ``assessed`` are those that passed or failed."""

    total: int
    running: int
    passed: int
    failed: int
    not_assessed: int
    assessed: int


class RuleCounts(BaseModel):
    """How many rules are on, and how many of them were judged in any example."""

    total: int
    assessed: int


class CheckSummary(BaseModel):
    """
    One run of a version's golden examples.

    ``result`` is ``failed`` where an example failed or ended without a description, and
    ``not_assessed`` where none could be assessed.
    """

    id: UUID
    ruleset: str
    version: int
    actor: str
    started_at: datetime
    result: Result
    calls: int = Field(description="made so far, those that cost nothing too")
    cost_microusd: int = Field(description="paid so far, with what calls under way may cost")
    quoted_microusd: int = Field(description="the most that it may cost")
    examples: ExampleCounts
    rules: RuleCounts


class Sides(BaseModel):
    """Ids of rules, and the outcome; null until there is one."""

    rules: list[str]
    outcome: str | None


class ExampleView(BaseModel):
    """One example: what it says must be found, and what was."""

    example: int = Field(description="its place in the version, from 0")
    image: str
    note: str | None
    status: Status
    expected: Sides
    got: Sides
    not_assessed: list[str] = Field(description="rules that could not be judged in it")
    upload: UUID
    waiting_for: str | None
    calls: int
    cost_microusd: int


class RuleView(BaseModel):
    """One rule over all examples that have ended; those in which it was not judged stand apart."""

    rule: str
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    not_assessed: int


class CheckView(CheckSummary):
    """A run with all its examples and rules."""

    by_example: list[ExampleView]
    by_rule: list[RuleView]


async def read(conn: Conn, name: str, number: int, trial: UUID) -> CheckView:
    """
    Show a run of a version.

    Raises:
        InputRefused: ``not_found``.
    """
    found = await trials.get(conn, name, number, trial)
    if found is None:
        raise InputRefused("not_found", f"{name}/{number} has no check {trial}")
    return await _show(conn, await _ruleset(conn, name, number), number, found)


async def listed(
    conn: Conn, name: str, number: int, *, after: UUID | None, limit: int
) -> list[CheckSummary]:
    """
    List the runs of a version, the newest first, from behind the id ``after``.

    Raises:
        InputRefused: ``not_found``.
    """
    ruleset = await _ruleset(conn, name, number)
    found = await trials.listed(conn, name, number, after=after, limit=limit)
    shown = [await _show(conn, ruleset, number, one) for one in found]
    return [CheckSummary.model_validate(one.model_dump(include=_SUMMARY)) for one in shown]


_SUMMARY = set(CheckSummary.model_fields)


async def _ruleset(conn: Conn, name: str, number: int) -> Ruleset:
    return rulesets.of_content((await catalogue.find(conn, name, number))["content"])


async def _show(conn: Conn, ruleset: Ruleset, number: int, trial: Trial) -> CheckView:
    tried = await trials.examples(conn, trial.id)
    pairs = trials.paired(ruleset, tried)
    judged = [rule.id for rule in ruleset.judged]
    statuses = [scoring.status(expected, got, judged) for expected, got in pairs]
    rules = {rule: scoring.confusion(rule, pairs) for rule in judged}
    return CheckView(
        id=trial.id,
        ruleset=ruleset.name,
        version=number,
        actor=trial.actor,
        started_at=trial.started_at,
        result=scoring.result(pairs, judged),
        calls=sum(one.calls for one in tried),
        cost_microusd=sum(one.cost_microusd for one in tried),
        quoted_microusd=trial.quoted_microusd,
        examples=_counts(statuses),
        rules=RuleCounts(total=len(rules), assessed=sum(one.assessed for one in rules.values())),
        by_example=[
            _example(ruleset, one, status) for one, status in zip(tried, statuses, strict=True)
        ],
        by_rule=[
            RuleView(
                rule=rule,
                true_positives=one.true_positives,
                false_positives=one.false_positives,
                false_negatives=one.false_negatives,
                true_negatives=one.true_negatives,
                not_assessed=one.not_assessed,
            )
            for rule, one in rules.items()
        ],
    )


def _counts(statuses: list[Status]) -> ExampleCounts:
    count = Counter(statuses)
    return ExampleCounts(
        total=len(statuses),
        running=count["running"],
        passed=count["passed"],
        failed=count["failed"],
        not_assessed=count["not_assessed"],
        assessed=count["passed"] + count["failed"],
    )


def _example(ruleset: Ruleset, one: Tried, status: Status) -> ExampleView:
    example = ruleset.examples[one.position]
    return ExampleView(
        example=one.position,
        image=example.image,
        note=example.note,
        status=status,
        expected=Sides(rules=sorted(example.rules), outcome=example.outcome),
        got=Sides(rules=sorted(one.rules), outcome=one.outcome),
        not_assessed=list(one.not_assessed),
        upload=one.upload_id,
        waiting_for=one.waiting_for,
        calls=one.calls,
        cost_microusd=one.cost_microusd,
    )
