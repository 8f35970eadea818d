"""How golden examples came out: each example, each rule, and all of a run; pure arithmetic."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["running", "passed", "failed", "not_assessed"]
Result = Literal["running", "passed", "failed", "not_assessed"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an example says must be found: ids of rules, and the outcome."""

    rules: frozenset[str]
    outcome: str


@dataclass(frozen=True, slots=True)
class Got:
    """
    What became of an example's upload.

    ``outcome`` is None until it has ended.  ``described`` is False where there is no description,
    after a typed failure; then there are no ``rules`` found and none that were ``not_assessed``.
    """

    outcome: str | None
    described: bool
    rules: frozenset[str] = frozenset()
    not_assessed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Confusion:
    """Of one rule, how many examples came out how; ``not_assessed`` are in none of the others."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    not_assessed: int

    @property
    def assessed(self) -> bool:
        """Whether the rule was judged in any example."""
        return bool(
            self.true_positives + self.false_positives + self.false_negatives + self.true_negatives
        )


def status(expected: Expected, got: Got, judged: Collection[str]) -> Status:
    """
    Say how one example came out.

    It is not assessed where there is no description, where a rule that it expects was not assessed,
    or where none was; yet a rule that is found and not expected fails it in any case.  Otherwise
    exactly the expected rules must be found, with the expected outcome; ``clean`` is met as far as
    was assessed by ``not_assessed``.

    Args:
        judged: The ids of the rules that are on.
    """
    if got.outcome is None:
        return "running"
    if not got.described:
        return "not_assessed"
    if got.rules - expected.rules:
        return "failed"
    unknown = expected.outcome == "not_assessed"
    if expected.rules & got.not_assessed or (not unknown and got.not_assessed.issuperset(judged)):
        return "not_assessed"
    as_assessed = {got.outcome, "clean"} if got.outcome == "not_assessed" else {got.outcome}
    right = got.rules == expected.rules and expected.outcome in as_assessed
    return "passed" if right else "failed"


def confusion(rule: str, examples: Sequence[tuple[Expected, Got]]) -> Confusion:
    """Count, over the examples that have ended, what was expected of a rule and what was found."""
    ended = [(expected, got) for expected, got in examples if got.outcome is not None]
    assessed = [
        (rule in expected.rules, rule in got.rules)
        for expected, got in ended
        if got.described and rule not in got.not_assessed
    ]
    return Confusion(
        true_positives=assessed.count((True, True)),
        false_positives=assessed.count((False, True)),
        false_negatives=assessed.count((True, False)),
        true_negatives=assessed.count((False, False)),
        not_assessed=len(ended) - len(assessed),
    )


def result(examples: Sequence[tuple[Expected, Got]], judged: Collection[str]) -> Result:
    """
    Say how a whole run came out.

    It passes where none of the assessed examples failed and there are such.  One that ended as a
    typed failure fails it: that is never a pass.  What an upstream could not assess does not; the
    counts tell how much that was.
    """
    statuses = [status(expected, got, judged) for expected, got in examples]
    if "running" in statuses:
        return "running"
    broken = any(not got.described for _, got in examples)
    if broken or "failed" in statuses:
        return "failed"
    return "passed" if "passed" in statuses else "not_assessed"
