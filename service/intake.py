"""Transaction 1: an image is checked for what is cheap and certain, committed, then answered."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from service import ids, inspecting
from service.errors import InputRefused
from service.pictures import headers
from service.store import Conn, Pool, idempotency, images, rulesets, uploads


@dataclass(frozen=True, slots=True)
class Received:
    """One image as a platform sent it; ``ruleset`` None means the default one."""

    image: bytes
    ruleset: str | None
    external_id: str | None
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class Accepted:
    """An upload that is committed."""

    upload: uploads.NewUpload
    received_at: datetime


class Intake:
    """Takes images for platforms."""

    def __init__(self, pool: Pool, limits: headers.Limits, default_ruleset: str) -> None:
        self._pool, self._limits, self._default = pool, limits, default_ruleset

    async def accept(
        self,
        platform: str,
        received: Received,
        *,
        key: str | None,
        answer: Callable[[Accepted], str],
    ) -> Accepted | idempotency.FirstAnswer:
        """
        Check the image and commit it as a queued upload.

        Args:
            key: The request's Idempotency-Key; a repeated one gets the first answer.
            answer: Renders the body of the 202, which is remembered under the key.

        Raises:
            InputRefused: Any rule broken; then nothing was stored.
        """
        image = await asyncio.to_thread(inspecting.inspect, received.image, self._limits)
        name = received.ruleset or self._default
        asked = _digest(image.sha256, name, received)
        async with self._pool.acquire() as conn, conn.transaction():
            if key is not None:
                first = await _first_answer(conn, platform, key, asked)
                if first is not None:
                    return first
            accepted = await _queue(conn, platform, image, name, received)
            if key is not None:
                first = idempotency.FirstAnswer(asked, accepted.upload.id, 202, answer(accepted))
                await idempotency.add(conn, platform, key, first)
        return accepted


async def _queue(
    conn: Conn, platform: str, image: images.Image, ruleset: str, received: Received
) -> Accepted:
    """Store the image and queue the upload under the ruleset's live version."""
    version = await rulesets.live(conn, ruleset)
    if version is None:
        raise InputRefused("ruleset_unknown", f"there is no live ruleset {ruleset!r}")
    upload = uploads.NewUpload(
        id=ids.uuid7(),
        platform=platform,
        external_id=received.external_id,
        metadata=received.metadata,
        image_sha256=image.sha256,
        ruleset=ruleset,
        version=version,
    )
    await images.add(conn, image)
    return Accepted(upload, await uploads.add(conn, upload))


async def _first_answer(
    conn: Conn, platform: str, key: str, asked: bytes
) -> idempotency.FirstAnswer | None:
    """Take the key for this transaction; give the first answer where it was used before."""
    if not await idempotency.lock(conn, platform, key):
        raise InputRefused("idempotency_in_progress", f"a request with key {key!r} is in progress")
    first = await idempotency.get(conn, platform, key)
    if first is not None and first.request_sha256 != asked:
        raise InputRefused(
            "idempotency_mismatch", f"key {key!r} was used for another image or other fields"
        )
    return first


def _digest(image_sha256: bytes, ruleset: str, received: Received) -> bytes:
    asked = [image_sha256.hex(), ruleset, received.external_id, received.metadata]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
