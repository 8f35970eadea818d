"""The worker: claims uploads, keeps their leases, lets attempts run, and drains when told to."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from service import ids, log
from service.attempting import Attempting
from service.edits import outcomes
from service.errors import LeaseLost, LocalFault
from service.heartbeat import Heartbeat
from service.store import CHANNEL_DUE, Pool, uploads
from service.store.database import PASSING, UNREACHABLE, Database
from service.store.listening import listen
from service.writing import ENDING_WAITS_S, WAITS_S

# Polling is the safety net under LISTEN, and finds leases that ran out.
POLL_S = 1.0
BATCH = 10
LOCAL_FAULT_S = 2.0
# What says nothing about the upload that was worked on.
LOCAL = (LocalFault, MemoryError, *UNREACHABLE, *PASSING)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one process does at once, and how long it may hold what it has."""

    concurrency: int
    lease: timedelta
    grace_s: float


class Worker:
    """Runs attempts until it is told to stop."""

    def __init__(self, pool: Pool, database: Database, attempting: Attempting, pace: Pace) -> None:
        self._pool, self._database, self._attempting = pool, database, attempting
        self._pace = pace
        # By upload and attempt: an upload given back may be claimed anew before its task has ended.
        self._held: dict[tuple[UUID, int], asyncio.Task[None]] = {}
        self._lost: set[tuple[UUID, int]] = set()
        self._wake = asyncio.Event()
        # A claim may have been committed of which only the answer was lost.
        self._unheard: UUID | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then finish or release what is held, within the grace."""
        helpers = [
            asyncio.create_task(self._settle()),
            asyncio.create_task(listen(self._database, CHANNEL_DUE, lambda _: self._wake.set())),
        ]
        stopped = asyncio.create_task(stop.wait())
        try:
            async with Heartbeat(self._database, self._pace.lease, self._holding, self._stop_lost):
                try:
                    while not stop.is_set():
                        self._wake.clear()
                        if not await self._claim():
                            await self._rest(stopped)
                    await self._drain()
                finally:
                    await self._release(self._held.values())
        finally:
            for helper in (*helpers, stopped):
                helper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await helper

    async def _claim(self) -> int:
        """Take as many due uploads as there is room for; tell how many."""
        room = self._pace.concurrency - len(self._held)
        if not room:
            return 0
        try:
            async with self._pool.acquire() as conn:
                if self._unheard is not None:
                    undone = await uploads.unclaim(conn, self._unheard)
                    log.get().warning("claim_undone", uploads=undone)
                self._unheard = ids.uuid7()
                claims = await uploads.claim(
                    conn, min(room, BATCH), self._pace.lease, self._unheard
                )
            self._unheard = None
        except (*UNREACHABLE, MemoryError, asyncpg.PostgresError) as error:
            log.get().warning("claim_failed", reason=repr(error)[:300])
            await asyncio.sleep(POLL_S)
            return 0
        for claim in claims:
            task = asyncio.create_task(self._handle(claim))
            self._held[claim.id, claim.attempt] = task
        return len(claims)

    async def _rest(self, stopped: "asyncio.Task[bool]") -> None:
        """Sleep until something is due, room was made, it is time to poll, or we must stop."""
        woken = asyncio.create_task(self._wake.wait())
        await asyncio.wait((woken, stopped), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()

    async def _handle(self, claim: uploads.Claim) -> None:
        facts = {"upload_id": str(claim.id), "attempt": claim.attempt, "platform": claim.platform}
        with log.bound(**facts):
            if claim.taken_over:
                log.get().warning("upload_taken_over")
            try:
                await self._attempting.run(claim)
            except LeaseLost as error:
                log.get().warning("lease_lost", reason=str(error))
            except asyncio.CancelledError:
                if (claim.id, claim.attempt) not in self._lost:
                    await self._give_back(claim, charged=False, delay_s=0, waits_s=ENDING_WAITS_S)
                raise
            except Exception as error:  # noqa: BLE001  # a poison upload must not end the worker, but end itself
                await self._broke(claim, error)
            finally:
                self._lost.discard((claim.id, claim.attempt))
                del self._held[claim.id, claim.attempt]
                self._wake.set()

    async def _broke(self, claim: uploads.Claim, error: Exception) -> None:
        """Give back what did not come to an end: uncharged, where the upload had no part in it."""
        # CPython has no class of its own for a machine that has no room for another thread.
        if isinstance(error, LOCAL) or str(error) == "can't start new thread":
            log.get().error("local_fault", reason=repr(error)[:300])
            # asyncpg refuses a value it cannot encode with an error that is also a ValueError:
            # that is the upload's own fault and must come to an end.
            charged = isinstance(error, ValueError)
            await self._give_back(claim, charged=charged, delay_s=LOCAL_FAULT_S)
        else:
            log.get().error("attempt_broke", exc_info=error)
            await self._give_back(claim, charged=True, delay_s=outcomes.backoff_s(claim.charges))

    async def _give_back(
        self,
        claim: uploads.Claim,
        *,
        charged: bool,
        delay_s: float,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        try:
            await self._attempting.abandon(claim, charged=charged, delay_s=delay_s, waits_s=waits_s)
        except LeaseLost:
            log.get().warning("lease_lost")
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            # The lease runs out by itself, and any worker takes the upload then.
            log.get().warning("release_failed", reason=str(error))

    async def _settle(self) -> None:
        """
        Look each second whether uploads wait in vain for the result of another.

        This alone ends them, so that it matters to none which process ended the other, or how.
        """
        while True:
            try:
                await self._attempting.settle()
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                log.get().warning("settle_failed", reason=str(error))
            await asyncio.sleep(POLL_S)

    def _holding(self) -> dict[UUID, int]:
        """Tell what is held, from whichever thread: a tuple is made of the keys in one go."""
        return dict(tuple(self._held))

    def _stop_lost(self, upload: UUID, attempt: int) -> None:
        # It may have ended while we asked.
        if task := self._held.get((upload, attempt)):
            self._lost.add((upload, attempt))
            task.cancel()

    async def _drain(self) -> None:
        """Begin no call any more, and let those under way finish within the grace."""
        self._attempting.close()
        tasks = list(self._held.values())
        if not tasks:
            return
        log.get().info("draining", uploads=len(tasks), grace_s=self._pace.grace_s)
        await asyncio.wait(tasks, timeout=self._pace.grace_s)

    async def _release(self, tasks: Iterable["asyncio.Task[None]"]) -> None:
        """Stop these attempts; each gives its upload back, due at once and uncharged."""
        late = list(tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
