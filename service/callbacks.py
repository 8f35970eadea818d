"""The final bytes of what a platform is told when an upload has ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

EVENTS: Mapping[str, str] = {"done": "upload.described", "failed": "upload.failed"}


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


def body(ended: Ended, at: datetime, public_url: str) -> bytes:
    """
    Render the message: facts and links, no image bytes and no text from the picture.

    Source: the envelope (type, timestamp, data) is that of Standard Webhooks 1.0.
    """
    address = f"{public_url.rstrip('/')}/v1/uploads/{ended.upload_id}"
    edited = f"{address}/images/edited" if ended.state == "done" else None
    message = {
        "type": EVENTS[ended.state],
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "data": {
            "id": str(ended.upload_id),
            "platform": ended.platform,
            "external_id": ended.external_id,
            "ruleset": {"name": ended.ruleset, "version": ended.version},
            "state": ended.state,
            "outcome": ended.outcome,
            "verdict": ended.verdict,
            "severity": ended.severity,
            "rules": list(ended.rules),
            "links": {"upload": address, "edited": edited},
        },
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
