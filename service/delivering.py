"""Delivering callbacks: signs what is due, sends it, and notes what came of each try."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service import log, standard_webhooks
from service.errors import LocalFault
from service.posting import Answer, Poster, PostFailed
from service.store import CHANNEL_CALLBACKS, Conn, Pool, deliveries, endpoints
from service.store.database import PASSING, UNREACHABLE, Database
from service.store.deliveries import Claim
from service.taking import Taking

# Seconds from each failed try to the next; the last one of these is 46 hours after the first.
SCHEDULE_S: Final = (5, 30, 120, 600, 3600, 10_800, 21_600, 43_200, 86_400)
JITTER: Final = 0.2
LONGEST_RETRY_AFTER_S: Final = 86_400.0
# A receiver that took nothing for so long is called no more until somebody enables it.
BEARABLE: Final = timedelta(days=5)
TRY_S: Final = 15.0
# Longer than a try with its bookkeeping: no second one begins beside it.
LEASE: Final = timedelta(seconds=TRY_S + 15)


@dataclass(frozen=True, slots=True)
class Room:
    """How many tries one process has under way: over all, and at one endpoint."""

    overall: int = 200
    each: int = 4


def delay_s(tries: int, retry_after_s: float | None, jitter: float) -> float | None:
    """
    Tell the seconds from a failed try to the next; None if the schedule is over.

    Args:
        tries: How many were made, from 1.
        retry_after_s: What the receiver asked for; never less than this, unless it is over a day.
        jitter: From -1 to 1.
    """
    if tries > len(SCHEDULE_S):
        return None
    planned = SCHEDULE_S[tries - 1] * (1 + JITTER * jitter)
    return max(planned, min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S))


class Deliverer:
    """Delivers until it is told to stop."""

    def __init__(self, pool: Pool, database: Database, poster: Poster, room: Room) -> None:
        self._pool, self._poster, self._room = pool, poster, room
        self._taking = Taking(database, CHANNEL_CALLBACKS, self._claim, self._deliver, room.overall)

    async def run(self, stop: asyncio.Event, grace_s: float = TRY_S) -> None:
        """Deliver until ``stop`` is set; tries under way may end within the grace."""
        await self._taking.run(stop, grace_s=grace_s)

    async def _claim(self, room: int, under_way: Collection[Claim]) -> list[Claim]:
        busy = Counter(claim.endpoint for claim in under_way)
        async with self._pool.acquire() as conn:
            return await deliveries.claim(conn, room, busy, self._room.each, LEASE)

    async def _deliver(self, claim: Claim) -> None:
        facts = {"callback_id": str(claim.callback_id), "endpoint": str(claim.endpoint)}
        with log.bound(**facts, platform=claim.platform, attempt=claim.attempt):
            try:
                answer, error = await self._send(claim)
                await self._note(claim, answer, error)
            except (LocalFault, *UNREACHABLE, *PASSING) as fault:
                # The lease runs out by itself; a message that did arrive comes once more then, by
                # the same id.
                log.get().warning("delivery_not_noted", reason=repr(fault)[:300])
            except Exception:  # noqa: BLE001  # one message must not end the delivery of others
                log.get().exception("delivery_broke")

    async def _send(self, claim: Claim) -> tuple[Answer | None, str | None]:
        """Make the try; give what was answered, and what is wrong with that."""
        signed = standard_webhooks.headers(
            str(claim.callback_id), claim.at, claim.body, claim.secrets
        )
        try:
            answer = await self._poster.post(
                claim.url, {**signed, "Content-Type": "application/json"}, claim.body
            )
        except PostFailed as error:
            return None, str(error)
        well = 200 <= answer.status <= 299
        return answer, None if well else f"the receiver answered HTTP {answer.status}"

    async def _note(self, claim: Claim, answer: Answer | None, error: str | None) -> None:
        status = answer.status if answer else None
        disabled = None
        async with self._pool.acquire() as conn, conn.transaction():
            # The endpoint's row comes first, as where it is removed, so that neither waits for
            # the other in a circle.
            if error is None:
                await endpoints.succeeded(conn, claim.endpoint)
            else:
                disabled = await _blame(conn, claim, status)
            held = await deliveries.hold(conn, claim)
            await deliveries.complete(conn, claim, status, error)
            if held and error is None:
                await deliveries.delivered(conn, claim)
            elif held:
                await _put_off(conn, claim, answer)
        log.get().info("callback_tried", status=status, error=error, held=held)
        if disabled is not None:
            log.get().error("endpoint_disabled", reason=disabled)


async def _blame(conn: Conn, claim: Claim, status: int | None) -> str | None:
    """Note that an endpoint failed; give the reason if it is disabled by that."""
    too_long = await endpoints.failed(conn, claim.endpoint, BEARABLE)
    if status == 410:
        reason = "it answered HTTP 410, which says that it is gone for good"
    elif too_long:
        reason = f"it has taken nothing for {BEARABLE.days} days"
    else:
        return None
    return reason if await endpoints.disable(conn, claim.endpoint, reason) else None


async def _put_off(conn: Conn, claim: Claim, answer: Answer | None) -> None:
    seconds = delay_s(
        claim.tries,
        answer.retry_after_s if answer else None,
        random.uniform(-1, 1),  # noqa: S311  # spreads load and guards nothing
    )
    if seconds is None:
        await deliveries.give_up(conn, claim)
        log.get().error("callback_given_up", tries=claim.tries)
    else:
        await deliveries.later(conn, claim, timedelta(seconds=seconds))
