"""The final bytes of what a platform is told when an upload has ended, or a person has decided."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

EVENTS: Mapping[str, str] = {
    "done": "upload.described",
    "failed": "upload.failed",
    "decided": "upload.decided",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """An upload that ends now; ``severity`` is 0 and ``rules`` empty without a description."""

    upload_id: UUID
    platform: str
    external_id: str | None
    ruleset: str
    version: int
    state: str
    outcome: str
    verdict: str
    severity: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """
    A decision of a person that takes effect now; why is not told.

    ``previous`` is the decision that was told before and is taken back, with the verdict it gave.
    """

    upload_id: UUID
    platform: str
    external_id: str | None
    ruleset: str
    version: int
    state: str
    outcome: str
    verdict: str
    decision: str
    decided_at: datetime
    previous: str | None
    previous_verdict: str | None


def body(ended: Ended, at: datetime, public_url: str) -> bytes:
    """
    Render the message: facts and links, no image bytes and no text from the picture.

    Source: the envelope (type, timestamp, data) is that of Standard Webhooks 1.0.
    """
    facts = {"severity": ended.severity, "rules": list(ended.rules)}
    return _message(EVENTS[ended.state], ended, at, facts, public_url)


def decided_body(decided: Decided, at: datetime, public_url: str) -> bytes:
    """Render the message of a decision; ``previous`` is null unless one is taken back."""
    previous = decided.previous and {
        "decision": decided.previous,
        "verdict": decided.previous_verdict,
    }
    facts = {
        "decision": decided.decision,
        "previous": previous,
        "decided_at": _moment(decided.decided_at),
    }
    return _message(EVENTS["decided"], decided, at, facts, public_url)


def _message(
    kind: str, told: Ended | Decided, at: datetime, facts: Mapping[str, object], public_url: str
) -> bytes:
    address = f"{public_url.rstrip('/')}/v1/uploads/{told.upload_id}"
    edited = f"{address}/images/edited" if told.state == "done" else None
    message = {
        "type": kind,
        "timestamp": _moment(at),
        "data": {
            "id": str(told.upload_id),
            "platform": told.platform,
            "external_id": told.external_id,
            "ruleset": {"name": told.ruleset, "version": told.version},
            "state": told.state,
            "outcome": told.outcome,
            "verdict": told.verdict,
            **facts,
            "links": {"upload": address, "edited": edited},
        },
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
