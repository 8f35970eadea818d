"""What a person may decide of an upload, after which decision, and what follows; pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from service.errors import InputRefused

Decision = Literal["allow", "allow_edited", "block", "escalate"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


@dataclass(frozen=True, slots=True)
class Transition:
    """
    What a decision does once it takes effect.

    Attributes:
        verdict: What the verdict becomes; None leaves it.
        told: Whether the platform is called back.
        after: The decisions it may follow; None stands for an upload without one.
    """

    verdict: str | None
    told: bool
    after: frozenset[Decision | None]


TRANSITIONS: Final[Mapping[Decision, Transition]] = {
    "allow": Transition("allow", True, frozenset({None, "allow_edited", "block", "escalate"})),
    "allow_edited": Transition(
        "allow_edited", True, frozenset({None, "allow", "block", "escalate"})
    ),
    "block": Transition("block", True, frozenset({None, "allow", "allow_edited", "escalate"})),
    "escalate": Transition(None, False, frozenset({None, "allow", "allow_edited", "block"})),
}


@dataclass(frozen=True, slots=True)
class Situation:
    """
    How an upload stands when a decision is made.

    Attributes:
        latest: The decision that took effect last.
        standing: The last one that the platform was told; an escalation does not end it.
        has_edited: Whether there is an edited image.
    """

    latest: Decision | None
    standing: Decision | None
    has_edited: bool


def overturned(situation: Situation, wanted: Decision) -> Decision | None:
    """Name the decision that the platform was told and that this one takes back, if any."""
    standing = situation.standing
    return standing if TRANSITIONS[wanted].told and standing != wanted else None


def check(
    situation: Situation, wanted: Decision, reason: str, reason_required: Collection[str]
) -> None:
    """
    Refuse a decision that may not be made like this.

    Raises:
        InputRefused: ``decision_unchanged``, ``no_edited_image`` or ``reason_required``.
    """
    after = TRANSITIONS[wanted].after
    if situation.latest not in after:
        allowed = ", ".join(sorted(one for one in after if one))
        raise InputRefused(
            "decision_unchanged",
            f"{wanted} was decided before; it may follow none, or one of: {allowed}",
        )
    if wanted == "allow_edited" and not situation.has_edited:
        raise InputRefused(
            "no_edited_image", "this upload has no edited image; allowed: allow, block, escalate"
        )
    if not reason.strip() and (wanted in reason_required or overturned(situation, wanted)):
        why = "overturns another" if overturned(situation, wanted) else "needs one in this queue"
        raise InputRefused("reason_required", f"say why: {wanted} {why}")
