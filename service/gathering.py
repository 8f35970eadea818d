"""Gathering images that are fetched: what is due is tried, and what came of it is written."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

from service import inspecting, landing, log
from service.addresses import FetchFailed
from service.errors import InputRefused, LeaseLost, LocalFault, QuotaExceeded
from service.fetching import Fetcher, Interrupted
from service.hooks import Link, StoredObject
from service.hooks.stores import FetchingSettings
from service.pictures import headers
from service.sources import Sources
from service.store import CHANNEL_FETCHES, Pool, fetches
from service.store.database import PASSING, UNREACHABLE, Database
from service.store.fetches import Claim
from service.taking import Taking

# Seconds from each failed try to the next: six tries within about ten minutes.
SCHEDULE_S: Final = (5, 15, 60, 170, 350)
MAX_TRIES: Final = len(SCHEDULE_S) + 1
JITTER: Final = 0.2
RETRY_AFTER_S: Final = (1.0, 300.0)
TRY_S: Final = 30.0
# Longer than a try with its bookkeeping: no second one begins beside it.
LEASE: Final = timedelta(seconds=TRY_S * 2)
LOCAL_FAULT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Room:
    """How many fetches one process has under way: over all, and for one platform."""

    overall: int = 8
    each: int = 2


def delay_s(tries: int, retry_after_s: float | None, jitter: float) -> float | None:
    """
    Tell the seconds from a failed try to the next; None if it was the last.

    Args:
        tries: How many were made, from 1.
        retry_after_s: What the server asked for; it is waited for at least that long, within
            ``RETRY_AFTER_S``.
        jitter: From -1 to 1.
    """
    if tries >= MAX_TRIES:
        return None
    planned = SCHEDULE_S[tries - 1] * (1 + JITTER * jitter)
    if retry_after_s is None:
        return planned
    least, most = RETRY_AFTER_S
    return max(planned, min(max(retry_after_s, least), most))


class Gatherer:
    """Fetches until it is told to stop."""

    def __init__(
        self,
        pool: Pool,
        database: Database,
        fetcher: Fetcher,
        fetch_hosts: tuple[str, ...],
        public_url: str,
        *,
        limits: headers.Limits | None = None,
        room: Room | None = None,
    ) -> None:
        self._pool, self._fetcher = pool, fetcher
        self._limits, self._room = limits or headers.Limits(), room or Room()
        self._sources = Sources(fetch_hosts, self._limits.max_bytes)
        self._public_url = public_url
        self._taking = Taking(
            database, CHANNEL_FETCHES, self._claim, self._handle, self._room.overall
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Fetch until ``stop`` is set; what has not come yet is released then."""
        await self._taking.run(stop, grace_s=0)

    async def _claim(self, room: int, under_way: Collection[Claim]) -> list[Claim]:
        busy = Counter(claim.platform for claim in under_way)
        async with self._pool.acquire() as conn:
            return await fetches.claim(conn, room, busy, self._room.each, LEASE)

    async def _handle(self, claim: Claim) -> None:
        facts = {"upload_id": str(claim.upload_id), "platform": claim.platform}
        with log.bound(**facts, attempt=claim.attempt):
            try:
                await self._gather(claim)
            except LeaseLost as error:
                log.get().warning("lease_lost", reason=str(error))
            except asyncio.CancelledError:
                await self._release(claim, 0)
                raise
            except (LocalFault, *UNREACHABLE, *PASSING) as error:
                log.get().error("local_fault", reason=repr(error)[:300])
                await self._release(claim, LOCAL_FAULT_S)
            except Exception:  # noqa: BLE001  # a poison image must not end the others, but end itself
                # Its lease runs out by itself, and the try is counted.
                log.get().exception("fetch_broke")

    async def _gather(self, claim: Claim) -> None:
        """Make the try and write what came of it."""
        if claim.tries > MAX_TRIES:
            # A try that ends says what came of it, and the last one ends the fetch.
            await self._fail(claim, "not_fetched", "given up: the process that fetched it died")
            return
        try:
            image = await asyncio.to_thread(
                inspecting.inspect, await self._fetched(claim), self._limits
            )
            async with self._pool.acquire() as conn:
                await landing.land(conn, claim, image, self._public_url)
        except Interrupted as error:
            await self._put_off(claim, _reason(claim, error), error.retry_after_s)
        except FetchFailed as error:
            await self._fail(claim, "not_fetched", _reason(claim, error))
        except QuotaExceeded as error:
            await self._fail(claim, "not_fetched", str(error))
        except InputRefused as error:
            await self._fail(claim, "unreadable", str(error))
        else:
            log.get().info("image_fetched", sha256=image.sha256.hex(), bytes=len(image.data))

    async def _fetched(self, claim: Claim) -> bytes:
        source = claim.source
        where = Link(**source) if "url" in source else StoredObject(**source)
        settings = FetchingSettings.model_validate(claim.settings or {})
        address, policy = self._sources.located(where, settings)
        return await self._fetcher.fetch_once(address, policy, TRY_S)

    async def _put_off(self, claim: Claim, reason: str, retry_after_s: float | None) -> None:
        jitter = random.uniform(-1, 1)  # noqa: S311  # spreads load and guards nothing
        seconds = delay_s(claim.tries, retry_after_s, jitter)
        if seconds is None:
            await self._fail(claim, "not_fetched", f"given up: {reason}")
            return
        async with self._pool.acquire() as conn:
            await fetches.later(conn, claim, timedelta(seconds=seconds), reason)
        log.get().info("fetch_put_off", reason=reason, tries=claim.tries, delay_s=seconds)

    async def _fail(self, claim: Claim, outcome: str, reason: str) -> None:
        async with self._pool.acquire() as conn:
            await landing.fail(conn, claim, outcome, reason, self._public_url)
        log.get().info("fetch_failed", outcome=outcome, reason=reason, tries=claim.tries)

    async def _release(self, claim: Claim, delay_s: float) -> None:
        try:
            async with self._pool.acquire() as conn:
                await fetches.release(conn, claim, timedelta(seconds=delay_s))
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            # The lease runs out by itself, and any process tries again then.
            log.get().warning("release_failed", reason=str(error))


def _reason(claim: Claim, error: FetchFailed) -> str:
    """Name the bucket too, which the host alone does not tell."""
    bucket = claim.source.get("bucket")
    return str(error) if bucket is None else f"bucket {bucket!r}: {error}"
