"""Ways in which upstreams fail, as data: what goes over the wire, and the outcome that follows."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.edits.client import DIALECTS
from tests.upstream import SENT, Answer, description

# Without its fault every answer would lead to allow.
CLEAN = json.dumps(description())
IMAGE = SENT


@dataclass(frozen=True, slots=True)
class Mode:
    """
    One way in which answers differ from a plain good one.

    ``answers`` are by dialect: all of them, or those whose protocol can say it; one for
    ``claude-messages`` is for every dialect that is asked for the description alone.  ``outcome``
    is a row of the table of outcomes; ``described`` marks what only looks like a fault.  ``wait_s``
    is what the answer asks us to wait, clamped.  ``settings`` are the upstream's own for this mode.
    ``seen`` names where it was met.
    """

    answers: Mapping[str, Answer]
    outcome: str
    seen: str
    wait_s: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def everywhere(answer: Answer) -> dict[str, Answer]:
    """Give every dialect the same answer."""
    return edits(answer) | {"claude-messages": answer}


def edits(answer: Answer) -> dict[str, Answer]:
    """Give every dialect that is asked for a picture the same answer."""
    return dict.fromkeys(DIALECTS, answer)


def merged(*parts: Mapping[str, Mode]) -> dict[str, Mode]:
    """Put tables together; a name that two of them use would hide a mode."""
    names = Counter(name for part in parts for name in part)
    assert set(names.values()) == {1}, f"two modes are called {names.most_common(1)[0][0]}"
    return {name: mode for part in parts for name, mode in part.items()}
