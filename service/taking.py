"""A queue of short jobs in Postgres: what is due is claimed, and each claim has its own task."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Final, Generic, TypeVar

import asyncpg

from service import log
from service.store.database import UNREACHABLE, Database
from service.store.listening import listen

# Polling is the safety net under LISTEN, and finds what a schedule or a lease has made due.
POLL_S: Final = 1.0
Claim = TypeVar("Claim")


class Taking(Generic[Claim]):
    """
    Claims until it is told to stop.

    ``claim`` is given how many more may be under way, and what is; it answers with what it took.
    ``handle`` is given each of those, once, and must raise nothing but CancelledError.
    """

    def __init__(
        self,
        database: Database,
        channel: str,
        claim: Callable[[int, Collection[Claim]], Awaitable[list[Claim]]],
        handle: Callable[[Claim], Coroutine[Any, Any, None]],
        overall: int,
    ) -> None:
        self._database, self._channel = database, channel
        self._claim, self._handle, self._overall = claim, handle, overall
        self._under_way: dict[asyncio.Task[None], Claim] = {}
        self._wake = asyncio.Event()

    async def run(self, stop: asyncio.Event, *, grace_s: float) -> None:
        """Work until ``stop`` is set; then let what is under way end in time, or cancel it."""
        stopped = asyncio.create_task(stop.wait())
        listening = asyncio.create_task(
            listen(self._database, self._channel, lambda _: self._wake.set())
        )
        try:
            while not stop.is_set():
                self._wake.clear()
                if not await self._take():
                    await self._rest(stopped)
            if grace_s and self._under_way:
                await asyncio.wait(self._under_way, timeout=grace_s)
        finally:
            for task in (listening, stopped, *self._under_way):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _take(self) -> int:
        room = self._overall - len(self._under_way)
        if not room:
            return 0
        try:
            claims = await self._claim(room, self._under_way.values())
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            log.get().warning("claim_failed", reason=str(error))
            await asyncio.sleep(POLL_S)
            return 0
        for claim in claims:
            task = asyncio.create_task(self._handle(claim))
            self._under_way[task] = claim
            task.add_done_callback(self._ended)
        return len(claims)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._under_way[task]
        self._wake.set()

    async def _rest(self, stopped: "asyncio.Task[bool]") -> None:
        """Sleep until something is due, room was made, it is time to poll, or we must stop."""
        woken = asyncio.create_task(self._wake.wait())
        await asyncio.wait((woken, stopped), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
