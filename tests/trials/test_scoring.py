"""How an example, a rule and a run come out; pure arithmetic."""

import pytest

from service import scoring
from service.scoring import Confusion, Expected, Got

RULES = ("a", "b", "c")
CLEAN = Expected(frozenset(), "clean")
FOUND = Expected(frozenset("a"), "redacted")
BOTH = Expected(frozenset("ab"), "redacted")
UNKNOWN = Expected(frozenset(), "not_assessed")


def got(outcome: str, rules: str = "", not_assessed: str = "") -> Got:
    return Got(outcome, True, frozenset(rules), frozenset(not_assessed))


RUNNING = Got(None, described=False)
BROKEN = Got("refused", described=False)


@pytest.mark.parametrize(
    ("expected", "came", "status"),
    [
        (FOUND, got("redacted", "a"), "passed"),
        (CLEAN, got("clean"), "passed"),
        (BOTH, got("redacted", "ab"), "passed"),
        (FOUND, got("clean"), "failed"),
        (CLEAN, got("redacted", "a"), "failed"),
        (BOTH, got("redacted", "a"), "failed"),
        (FOUND, got("redacted", "b"), "failed"),
        (FOUND, got("violating", "a"), "failed"),
        # What it expects could not be judged.
        (FOUND, got("not_assessed", "", "a"), "not_assessed"),
        (BOTH, got("redacted", "a", "b"), "not_assessed"),
        # Whatever else could not be: what was found and not expected is wrong.
        (FOUND, got("redacted", "b", "a"), "failed"),
        (CLEAN, got("redacted", "a", "bc"), "failed"),
        # As far as it was assessed, nothing is there.
        (CLEAN, got("not_assessed", "", "b"), "passed"),
        (FOUND, got("redacted", "a", "bc"), "passed"),
        # Nothing at all was assessed.
        (CLEAN, got("not_assessed", "", "abc"), "not_assessed"),
        # What nobody can judge is what was expected.
        (UNKNOWN, got("not_assessed", "", "abc"), "passed"),
        (UNKNOWN, got("not_assessed", "", "b"), "passed"),
        (UNKNOWN, got("clean"), "failed"),
        # A typed failure is never a pass.
        (CLEAN, BROKEN, "not_assessed"),
        (FOUND, BROKEN, "not_assessed"),
        (FOUND, RUNNING, "running"),
    ],
)
def test_status_of_an_example(expected: Expected, came: Got, status: str) -> None:
    """Only exactly what was expected passes, and only what was assessed passes or fails."""
    assert scoring.status(expected, came, RULES) == status


def test_confusion_of_a_rule() -> None:
    """Each ended example counts once: in one of the four cells, or as not assessed."""
    examples = [
        (FOUND, got("redacted", "a")),
        (CLEAN, got("redacted", "a")),
        (FOUND, got("clean")),
        (CLEAN, got("clean")),
        (CLEAN, got("clean")),
        (FOUND, got("not_assessed", "", "a")),
        (FOUND, BROKEN),
        (FOUND, RUNNING),
    ]
    assert scoring.confusion("a", examples) == Confusion(1, 1, 1, 2, 2)
    assert scoring.confusion("a", examples).assessed
    assert not scoring.confusion("a", examples[5:]).assessed


@pytest.mark.parametrize(
    ("examples", "result"),
    [
        ([(CLEAN, got("clean")), (FOUND, got("redacted", "a"))], "passed"),
        ([(CLEAN, got("clean")), (FOUND, got("not_assessed", "", "a"))], "passed"),
        ([(CLEAN, got("clean")), (FOUND, got("clean"))], "failed"),
        ([(CLEAN, got("clean")), (FOUND, BROKEN)], "failed"),
        ([(FOUND, BROKEN)], "failed"),
        ([(FOUND, got("not_assessed", "", "a"))], "not_assessed"),
        ([(FOUND, got("clean")), (CLEAN, RUNNING)], "running"),
    ],
)
def test_result_of_a_run(examples: list[tuple[Expected, Got]], result: str) -> None:
    """A run passes if something was assessed, none of it failed and every example was described."""
    assert scoring.result(examples, RULES) == result
