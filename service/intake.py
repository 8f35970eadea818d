"""Transaction 1: an image is checked for what is cheap and certain, committed, then answered."""

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service import hooks, ids, inspecting, metering, reusing
from service.addresses import FetchFailed
from service.errors import InputRefused
from service.hooks.stores import FetchingSettings
from service.pictures import headers
from service.sources import Remote, Sources
from service.store import (
    Conn,
    Pool,
    Row,
    arrivals,
    fetches,
    hook_events,
    idempotency,
    images,
    quotas,
    uploads,
)
from service.store.quotas import Standing


@dataclass(frozen=True, slots=True)
class Received:
    """One image as a platform sent it, or where it is; ``ruleset`` None means the default one."""

    image: hooks.Source
    ruleset: str | None
    external_id: str | None
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """What a sender told of, by the preset it was read by and an id that every telling has."""

    preset: str
    id: str


@dataclass(frozen=True, slots=True)
class Known:
    """The upload that an event became when it was told of before."""

    upload_id: UUID


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    An upload that is committed.

    ``follower`` is its row of ``uploads.VIEW`` where it has, or waits for, another's result.
    """

    upload: uploads.NewUpload
    received_at: datetime
    follower: Row | None = None


class Intake:
    """Takes images for platforms."""

    def __init__(
        self,
        pool: Pool,
        limits: headers.Limits,
        default_ruleset: str,
        public_url: str,
        fetch_hosts: tuple[str, ...] = (),
    ) -> None:
        self._pool, self._limits = pool, limits
        self._default, self.public_url = default_ruleset, public_url.rstrip("/")
        self._sources = Sources(fetch_hosts, limits.max_bytes)

    async def accept(
        self,
        platform: str,
        received: Received,
        *,
        key: str | None,
        answer: Callable[[Accepted], str],
    ) -> Accepted | idempotency.FirstAnswer:
        """
        Check the image and commit it as a queued upload, or as one that waits.

        It waits for the result that it reuses, or to be fetched.

        Args:
            key: The request's Idempotency-Key; a repeated one gets the first answer.
            answer: Renders the body of the 202, which is remembered under the key.

        Raises:
            InputRefused: Any rule broken, or no quota left; then nothing was stored.
        """
        source = await self._inspected(received.image)
        async with self._pool.acquire() as conn, conn.transaction():
            standing = await self._standing(conn, platform, received)
            asked = _digest(source, standing.ruleset, received)
            if key is not None:
                first = await _first_answer(conn, platform, key, asked)
                if first is not None:
                    return first
            accepted = await self._add(conn, platform, standing, source, received, ids.uuid7())
            if key is not None:
                first = idempotency.FirstAnswer(asked, accepted.upload.id, 202, answer(accepted))
                await idempotency.add(conn, platform, key, first)
        return accepted

    async def accept_event(
        self, platform: str, received: Received, event: Event | None
    ) -> Accepted | Known:
        """
        Do the same for an event of a hook, which becomes an upload once, however often told of.

        Args:
            event: None where nothing tells it from others.

        Raises:
            InputRefused: As above; then the event was not stored either.
        """
        source = await self._inspected(received.image)
        upload = ids.uuid7()
        async with self._pool.acquire() as conn, conn.transaction():
            if event is not None:
                became = await hook_events.add(conn, platform, event.preset, event.id, upload)
                if became != upload:
                    return Known(became)
            standing = await self._standing(conn, platform, received)
            return await self._add(conn, platform, standing, source, received, upload)

    async def _inspected(self, image: hooks.Source) -> images.Image | Remote:
        if isinstance(image, bytes):
            return await asyncio.to_thread(inspecting.inspect, image, self._limits)
        return image

    async def _standing(self, conn: Conn, platform: str, received: Received) -> Standing:
        return await quotas.standing(conn, platform, received.ruleset, self._default)

    async def _add(
        self,
        conn: Conn,
        platform: str,
        standing: Standing,
        source: images.Image | Remote,
        received: Received,
        upload_id: UUID,
    ) -> Accepted:
        """Store the upload under the ruleset's live version, with its image if that is here."""
        metering.check_upload(platform, standing, _size(source))
        if standing.version is None:
            raise InputRefused("ruleset_unknown", f"there is no live ruleset {standing.ruleset!r}")
        upload = uploads.NewUpload(
            id=upload_id,
            platform=platform,
            external_id=received.external_id,
            metadata=received.metadata,
            image_sha256=source.sha256 if isinstance(source, images.Image) else None,
            ruleset=standing.ruleset,
            version=standing.version,
        )
        if not isinstance(source, images.Image):
            self._check(source, standing)
            added = await fetches.add(conn, upload, dataclasses.asdict(source))
            await metering.count_upload(conn, platform, standing)
            return Accepted(upload, added)
        arrival = await arrivals.add(conn, upload, source)
        metering.check_day(platform, standing, arrival.uploads, arrival.bytes)
        if not arrival.follows:
            return Accepted(upload, arrival.received_at)
        await reusing.settle_new(conn, upload.id, self.public_url)
        return Accepted(upload, arrival.received_at, await uploads.get(conn, upload.id, platform))

    def _check(self, source: Remote, standing: Standing) -> None:
        """Refuse at once what would never be fetched."""
        try:
            settings = FetchingSettings.model_validate(standing.fetching or {})
            self._sources.check(source, settings)
        except FetchFailed as error:
            raise InputRefused("image_url_not_allowed", str(error)) from error


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


def _size(source: images.Image | Remote) -> int:
    """Tell the bytes that are here; those of an image that is fetched are counted then."""
    return len(source.data) if isinstance(source, images.Image) else 0


def _digest(source: images.Image | Remote, ruleset: str, received: Received) -> bytes:
    what = source.sha256.hex() if isinstance(source, images.Image) else dataclasses.asdict(source)
    asked = [what, ruleset, received.external_id, received.metadata]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
