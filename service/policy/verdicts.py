"""Severities, edits, verdicts and outcomes, and which of two is the stricter."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

Severity = Literal["low", "medium", "high", "critical"]
Edit = Literal["none", "blur", "pixelate", "box", "remove", "block_image"]
Verdict = Literal["allow", "allow_edited", "hold", "block"]
Outcome = Literal["clean", "redacted", "violating", "not_assessed"]

# Each from lenient to strict; an edit is the stricter the less of the place it leaves to be seen.
SEVERITIES: Final[Mapping[Severity, int]] = {"low": 1, "medium": 2, "high": 3, "critical": 4}
EDITS: Final[Mapping[Edit, int]] = {
    "none": 0,
    "blur": 1,
    "pixelate": 2,
    "box": 3,
    "remove": 4,
    "block_image": 5,
}
VERDICTS: Final[Mapping[Verdict, int]] = {"allow": 0, "allow_edited": 1, "hold": 2, "block": 3}

OUTCOMES: Final = frozenset(get_args(Outcome))

_LEADS_TO: Final[Mapping[Verdict, Outcome]] = {
    "allow": "clean",
    "allow_edited": "redacted",
    "hold": "violating",
    "block": "violating",
}


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """Choose the strictest of at least one verdict."""
    return max(verdicts, key=VERDICTS.__getitem__)


def outcome(found: Iterable[Verdict]) -> Outcome:
    """Tell the outcome of a picture by the verdicts of the rules found in it; clean without any."""
    return _LEADS_TO[strictest([*found, "allow"])]
