"""Which decision may follow which, and what each takes back: every pair of states."""

import itertools

import pytest

from service import deciding
from service.deciding import DECISIONS, TRANSITIONS, Decision, Situation
from service.errors import InputRefused

STANDING: tuple[Decision | None, ...] = (None, "allow", "allow_edited", "block")
# (what took effect last, what is decided) to what that takes back; "unchanged" is refused.
PAIRS: dict[tuple[Decision | None, Decision], str | None] = {
    (None, "allow"): None,
    (None, "allow_edited"): None,
    (None, "block"): None,
    (None, "escalate"): None,
    ("allow", "allow"): "unchanged",
    ("allow", "allow_edited"): "allow",
    ("allow", "block"): "allow",
    ("allow", "escalate"): None,
    ("allow_edited", "allow"): "allow_edited",
    ("allow_edited", "allow_edited"): "unchanged",
    ("allow_edited", "block"): "allow_edited",
    ("allow_edited", "escalate"): None,
    ("block", "allow"): "block",
    ("block", "allow_edited"): "block",
    ("block", "block"): "unchanged",
    ("block", "escalate"): None,
    ("escalate", "allow"): None,
    ("escalate", "allow_edited"): None,
    ("escalate", "block"): None,
    ("escalate", "escalate"): "unchanged",
}


def refusal(situation: Situation, wanted: Decision, reason: str, *required: str) -> str | None:
    """The code with which a decision is refused."""
    try:
        deciding.check(situation, wanted, reason, required)
    except InputRefused as error:
        return error.code
    return None


def test_the_table_has_every_pair() -> None:
    """Whoever adds a decision says here what it may follow."""
    assert set(PAIRS) == set(itertools.product((None, *DECISIONS), DECISIONS))
    assert set(TRANSITIONS) == set(DECISIONS)


@pytest.mark.parametrize(("latest", "wanted"), PAIRS)
def test_every_pair_of_states(latest: Decision | None, wanted: Decision) -> None:
    """A pair is refused as unchanged, or takes back exactly what the table says."""
    standing = None if latest in (None, "escalate") else latest
    situation = Situation(latest, standing, has_edited=True)
    outcome = PAIRS[latest, wanted]

    if outcome == "unchanged":
        assert refusal(situation, wanted, "why") == "decision_unchanged"
    else:
        assert refusal(situation, wanted, "why") is None
        assert deciding.overturned(situation, wanted) == outcome


@pytest.mark.parametrize("standing", STANDING)
@pytest.mark.parametrize("wanted", DECISIONS)
def test_what_was_told_is_taken_back_also_after_an_escalation(
    standing: Decision | None, wanted: Decision
) -> None:
    """An escalation between two decisions hides neither the first nor that a reason is needed."""
    situation = Situation("escalate" if standing else None, standing, has_edited=True)
    if wanted == "escalate" and standing:
        assert refusal(situation, wanted, "why") == "decision_unchanged"
        return
    takes_back = standing is not None and wanted not in ("escalate", standing)

    assert (deciding.overturned(situation, wanted) is not None) == takes_back
    assert refusal(situation, wanted, " \n") == ("reason_required" if takes_back else None)
    assert refusal(situation, wanted, "why") is None


@pytest.mark.parametrize("wanted", DECISIONS)
def test_a_reason_is_needed_where_the_queue_says_so(wanted: Decision) -> None:
    """Only the decisions that a queue names need a reason there."""
    situation = Situation(None, None, has_edited=True)

    assert refusal(situation, wanted, "", wanted) == "reason_required"
    assert refusal(situation, wanted, "because", wanted) is None
    assert refusal(situation, wanted, "", *(one for one in DECISIONS if one != wanted)) is None


def test_only_what_was_edited_is_allowed_edited() -> None:
    """Where there is no edited image, everything else can be decided."""
    situation = Situation(None, None, has_edited=False)

    refused = {one: refusal(situation, one, "") for one in DECISIONS}

    assert refused == dict.fromkeys(DECISIONS) | {"allow_edited": "no_edited_image"}


def test_only_escalation_changes_no_verdict_and_is_not_told() -> None:
    """Every other decision is the verdict that it gives."""
    for decision, transition in TRANSITIONS.items():
        kept = decision == "escalate"
        assert transition.verdict == (None if kept else decision)
        assert transition.told is not kept
