"""What follows from a description: a table of cases, and what holds for all of them."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.policy.descriptions import DescriptionInvalid, judge, of_frames
from service.policy.rulesets import Ruleset, Verdict
from tests.policy.documents import make_description, make_finding, make_ruleset

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
STRICTNESS = {verdict: number for number, verdict in enumerate(VERDICTS)}
RULES: dict[str, Verdict] = {"a": "allow", "e": "allow_edited", "h": "hold", "b": "block"}


def ruleset(on_clean: Verdict) -> Ruleset:
    return make_ruleset(on_clean, a="allow", e="allow_edited", h="hold", b="block")


@pytest.mark.parametrize(
    ("found", "on_clean", "missed", "addressed", "outcome", "verdict"),
    [
        ("", "allow", False, False, "clean", "allow"),
        ("", "allow_edited", False, False, "clean", "allow_edited"),
        ("", "hold", False, False, "clean", "hold"),
        ("", "block", False, False, "clean", "block"),
        ("a", "hold", False, False, "clean", "allow"),
        ("e", "allow", False, False, "redacted", "allow_edited"),
        ("h", "allow", False, False, "violating", "hold"),
        ("b", "allow", False, False, "violating", "block"),
        ("ae", "allow", False, False, "redacted", "allow_edited"),
        ("eh", "allow", False, False, "violating", "hold"),
        ("haeb", "allow", False, False, "violating", "block"),
        ("", "allow", True, False, "not_assessed", "hold"),
        ("", "block", True, False, "not_assessed", "block"),
        ("a", "allow", True, False, "not_assessed", "hold"),
        ("e", "allow", True, False, "redacted", "hold"),
        ("h", "allow", True, False, "violating", "hold"),
        ("b", "allow", True, False, "violating", "block"),
        ("", "allow", False, True, "clean", "hold"),
        ("e", "allow", False, True, "redacted", "hold"),
        ("b", "allow", False, True, "violating", "block"),
        ("", "allow", True, True, "not_assessed", "hold"),
    ],
)
def test_table(
    found: str,
    on_clean: Verdict,
    missed: bool,  # noqa: FBT001  # a table's column
    addressed: bool,  # noqa: FBT001  # a table's column
    outcome: str,
    verdict: Verdict,
) -> None:
    """Outcome and verdict follow from findings, gaps and text to the model as the contract says."""
    description = make_description(
        *found, not_assessed=["a"] * missed, text_to_model=["allow this"] * addressed
    )
    judgement = judge(description, ruleset(on_clean))
    assert (judgement.outcome, judgement.verdict) == (outcome, verdict)


def test_severity_and_rules() -> None:
    """The greatest severity counts and each rule is named once, in order."""
    findings = [make_finding("h", severity=1), make_finding("b", severity=3), make_finding("h")]
    judgement = judge(make_description(findings=findings), ruleset("allow"))
    assert (judgement.severity, judgement.rules) == (3, ("b", "h"))
    nothing = judge(make_description(), ruleset("allow"))
    assert (nothing.severity, nothing.rules) == (0, ())


def test_unknown_rule() -> None:
    """A rule that the ruleset lacks is an invalid description, not a failure of ours."""
    with pytest.raises(DescriptionInvalid, match="'x' is not in ruleset test"):
        judge(make_description("a", "x"), ruleset("allow"))


def test_rule_that_is_off() -> None:
    """What is switched off is allowed, so a finding of it means nothing that could be judged."""
    rules = [rule.model_copy(update={"enabled": rule.id != "b"}) for rule in ruleset("allow").rules]
    off = ruleset("allow").model_copy(update={"rules": rules})
    with pytest.raises(DescriptionInvalid, match="'b' is not in ruleset test, or is off there"):
        judge(make_description("a", "b"), off)


@pytest.mark.parametrize(
    ("found", "seen", "outcome", "verdict"),
    [
        ("", 16, "not_assessed", "hold"),
        ("a", 16, "not_assessed", "hold"),
        ("e", 16, "redacted", "hold"),
        ("h", 16, "violating", "hold"),
        ("b", 16, "violating", "block"),
        ("", 17, "clean", "allow"),
        ("a", 17, "clean", "allow"),
        ("e", 17, "redacted", "hold"),
        ("h", 17, "violating", "hold"),
        ("b", 17, "violating", "block"),
    ],
)
def test_frames(found: str, seen: int, outcome: str, verdict: Verdict) -> None:
    """An animation is allowed only where each of its frames was seen and all were clean."""
    judged = of_frames(judge(make_description(*found), ruleset("allow")), 17, seen)
    assert (judged.outcome, judged.verdict) == (outcome, verdict)
    assert judged.rules == tuple(found)


def test_an_edited_contact_sheet_is_never_published() -> None:
    """A ruleset that publishes the edit of clean pictures does not publish that of an animation."""
    judged = judge(make_description(), ruleset("allow_edited"))
    assert of_frames(judged, 1, 1) == judged
    assert of_frames(judged, 2, 2).verdict == "hold"


DESCRIPTIONS = st.builds(
    lambda findings, not_assessed, text_to_model: make_description(
        findings=findings, not_assessed=not_assessed, text_to_model=text_to_model
    ),
    st.lists(st.builds(make_finding, st.sampled_from("aehb"), severity=st.integers(1, 4))),
    st.lists(st.sampled_from("aehb"), unique=True),
    st.lists(st.text(max_size=5), max_size=2),
)
ON_CLEAN = st.sampled_from(VERDICTS)
# A busy machine is not a fault of what is tested.
UNHURRIED = settings(deadline=None)


@UNHURRIED
@given(DESCRIPTIONS, ON_CLEAN)
def test_nothing_unjudged_is_allowed(description: dict[str, Any], on_clean: Verdict) -> None:
    """Allowing needs outcome clean or redacted, every rule assessed and no text to the model."""
    judgement = judge(description, ruleset(on_clean))
    if judgement.verdict in {"allow", "allow_edited"}:
        assert judgement.outcome in {"clean", "redacted"}
        assert description["not_assessed"] == []
        assert description["text_to_model"] == []
    if judgement.outcome in {"violating", "not_assessed"}:
        assert judgement.verdict in {"hold", "block"}


@UNHURRIED
@given(DESCRIPTIONS, ON_CLEAN, st.sampled_from("aehb"))
def test_a_finding_more_is_never_more_lenient(
    description: dict[str, Any], on_clean: Verdict, rule: str
) -> None:
    """
    A finding more never makes the verdict less strict once there is one.

    The first finding replaces ``on_clean``; from there the verdict is at least the rule's own.
    """
    more = {**description, "findings": [*description["findings"], make_finding(rule)]}
    before = judge(description, ruleset(on_clean)).verdict
    after = judge(more, ruleset(on_clean)).verdict
    assert STRICTNESS[after] >= STRICTNESS[RULES[rule]]
    if description["findings"]:
        assert STRICTNESS[after] >= STRICTNESS[before]


@UNHURRIED
@given(DESCRIPTIONS, ON_CLEAN)
def test_order_of_findings_does_not_matter(description: dict[str, Any], on_clean: Verdict) -> None:
    """The same findings in another order mean the same."""
    turned = {**description, "findings": description["findings"][::-1]}
    assert judge(turned, ruleset(on_clean)) == judge(description, ruleset(on_clean))
