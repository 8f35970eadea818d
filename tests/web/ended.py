"""Uploads that have ended, put into the database as the worker leaves them."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from service.store import Conn
from tests.upstream import description, finding

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
_UPLOAD = """
    INSERT INTO uploads (id, platform, external_id, image_sha256, canonical_sha256, ruleset,
                         version, state, outcome, verdict, attempt, received_at, finished_at)
    VALUES ($1, $2, $3, $4, $4, $5, 1, $6, $7, $8, 1, $9, $9::timestamptz + interval '1 minute')
"""
_ATTEMPT = """
    INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                          reserved_microusd, outcome, charged, cost_microusd, finished_at)
    VALUES ($1, 1, 'scripted', 'a-model', sha256('prompt'), $2, 1, $3, true, 1, now())
"""
_RECORD = """
    INSERT INTO records (upload_id, attempt, edited_sha256, thumbnail_sha256, description, outcome,
                         severity, rules)
    VALUES ($1, 1, $2, $2, $3, $4, $5, $6)
"""
_IMAGE = """
    INSERT INTO images (sha256, mime, width, height, data) VALUES ($1, 'image/png', 8, 8, $2)
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Ended:
    """What an upload that has ended is to be like; ``day`` counts from the first of November."""

    outcome: str
    verdict: str = "hold"
    state: str = "done"
    platform: str = "default"
    ruleset: str = "privacy"
    rules: tuple[str, ...] = ()
    severity: int = 0
    day: int = 0
    external_id: str | None = None
    image: bytes = b"image"

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.image).digest()

    @property
    def received_at(self) -> datetime:
        return BEGIN + timedelta(days=self.day)

    def new_id(self) -> UUID:
        """A UUIDv7 of the moment at which it was received."""
        milliseconds = int(self.received_at.timestamp() * 1000)
        random = secrets.randbits(62)
        return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | random)

    @property
    def description(self) -> dict[str, Any]:
        found = [finding(rule, severity=self.severity) for rule in self.rules]
        return description(findings=found)


async def add(conn: Conn, one: Ended) -> UUID:
    """Insert the upload with its image, attempt and, if it is done, record."""
    upload = one.new_id()
    await conn.execute(
        "INSERT INTO platforms (name) VALUES ($1) ON CONFLICT DO NOTHING", one.platform
    )
    await conn.execute(_IMAGE, one.sha256, one.image)
    async with conn.transaction():
        await conn.execute(
            _UPLOAD,
            upload,
            one.platform,
            one.external_id,
            one.sha256,
            one.ruleset,
            one.state,
            one.outcome,
            one.verdict,
            one.received_at,
        )
        await conn.execute(_ATTEMPT, upload, one.sha256, "described")
        if one.state == "done":
            await conn.execute(
                _RECORD,
                upload,
                one.sha256,
                one.description,
                one.outcome,
                one.severity,
                list(one.rules),
            )
    return upload
