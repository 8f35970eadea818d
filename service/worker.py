"""The worker: claims uploads, keeps their leases, lets attempts run, and drains when told to."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from service import log
from service.attempting import Attempting
from service.edits import outcomes
from service.errors import LeaseLost, LocalFault
from service.store import CHANNEL_DUE, Conn, Pool, uploads
from service.store.database import PASSING, UNREACHABLE, Database
from service.store.listening import listen

# Polling is the safety net under LISTEN, and finds leases that ran out.
POLL_S = 1.0
BATCH = 10
LOCAL_FAULT_S = 2.0


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

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then finish or release what is held, within the grace."""
        helpers = [
            asyncio.create_task(self._renew()),
            asyncio.create_task(self._settle()),
            asyncio.create_task(listen(self._database, CHANNEL_DUE, lambda _: self._wake.set())),
        ]
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._wake.clear()
                if not await self._claim():
                    await self._rest(stopped)
            await self._drain()
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
                claims = await uploads.claim(conn, min(room, BATCH), self._pace.lease)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            log.get().warning("claim_failed", reason=str(error))
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
            try:
                await self._attempting.run(claim)
            except LeaseLost as error:
                log.get().warning("lease_lost", reason=str(error))
            except asyncio.CancelledError:
                if (claim.id, claim.attempt) not in self._lost:
                    await self._give_back(claim, charged=False, delay_s=0)
                raise
            except (LocalFault, *UNREACHABLE, *PASSING) as error:
                log.get().error("local_fault", reason=repr(error)[:300])
                # asyncpg refuses a value it cannot encode with an error that is also a
                # ValueError: that is the upload's own fault and must come to an end.
                charged = isinstance(error, ValueError)
                await self._give_back(claim, charged=charged, delay_s=LOCAL_FAULT_S)
            except Exception:  # noqa: BLE001  # a poison upload must not end the worker, but end itself
                log.get().exception("attempt_broke")
                await self._give_back(
                    claim, charged=True, delay_s=outcomes.backoff_s(claim.charges)
                )
            finally:
                self._lost.discard((claim.id, claim.attempt))
                del self._held[claim.id, claim.attempt]
                self._wake.set()

    async def _give_back(self, claim: uploads.Claim, *, charged: bool, delay_s: float) -> None:
        try:
            await self._attempting.abandon(claim, charged=charged, delay_s=delay_s)
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

    async def _renew(self) -> None:
        """
        Extend all leases three times as often as needed; stop attempts that lost theirs.

        It has a connection of its own: waiting for one of the pool's could cost the leases.
        """
        conn: Conn | None = None
        try:
            while True:
                await asyncio.sleep(self._pace.lease.total_seconds() / 3)
                held = dict(self._held.keys())
                if not held:
                    continue
                try:
                    if conn is None or conn.is_closed():
                        conn = await self._database.connect(name="renew")
                    still = await uploads.renew(conn, held, self._pace.lease)
                except (*UNREACHABLE, asyncpg.PostgresError) as error:
                    log.get().warning("renew_failed", reason=str(error))
                    continue
                for upload in held.keys() - still:
                    self._stop_lost(upload, held[upload])
        finally:
            if conn is not None:
                conn.terminate()

    def _stop_lost(self, upload: UUID, attempt: int) -> None:
        # It may have ended while we asked.
        if task := self._held.get((upload, attempt)):
            self._lost.add((upload, attempt))
            task.cancel()

    async def _drain(self) -> None:
        """Let calls finish within the grace, then release the rest at once."""
        self._attempting.close()
        tasks = list(self._held.values())
        if not tasks:
            return
        log.get().info("draining", uploads=len(tasks), grace_s=self._pace.grace_s)
        _, late = await asyncio.wait(tasks, timeout=self._pace.grace_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
