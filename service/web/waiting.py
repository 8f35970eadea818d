"""Requests that wait for an upload to end: one LISTEN and one poll for all of them."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import asyncpg
from aiohttp import web

from service import log
from service.store import CHANNEL_FINISHED, Pool, uploads
from service.store.database import UNREACHABLE, Database
from service.store.listening import listen

POLL_S = 2.0
LONGEST_WAIT_S = 60
PREFER_WAIT: Mapping[str, str] = {
    "Prefer": "wait=SECONDS (1-60): answer when the upload has ended, if it ends in time"
}
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})\b")


def preferred_wait(request: web.Request) -> int:
    """Read RFC 7240's wait preference in seconds; 0 where there is none."""
    found = _WAIT.search(",".join(request.headers.getall("Prefer", [])))
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0


class Waiting:
    """Wakes each waiting request when its upload has ended."""

    def __init__(self, pool: Pool, database: Database) -> None:
        self._pool, self._database = pool, database
        self._waiters: dict[UUID, set[asyncio.Future[bool]]] = {}
        self._released = False

    async def wait(self, upload: UUID, seconds: float) -> bool:
        """Wait for the upload to end; False when the time is up, or this process is to stop."""
        if self._released:
            return False
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(upload, set()).add(ended)
        try:
            async with asyncio.timeout(seconds):
                # It may have ended before this request began to listen.
                await self._ask([upload])
                return await ended
        except TimeoutError:
            return False
        finally:
            self._waiters[upload].discard(ended)
            if not self._waiters[upload]:
                del self._waiters[upload]

    async def release(self, _: web.Application) -> None:
        """Let every waiting request answer at once, so that a drain need not wait for them."""
        self._released = True
        for upload in self._waiters:
            self._wake(upload, ended=False)

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """Listen and poll for as long as the application runs."""
        tasks = [
            asyncio.create_task(listen(self._database, CHANNEL_FINISHED, self._heard)),
            asyncio.create_task(self._poll()),
        ]
        yield
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _heard(self, payload: str) -> None:
        if payload:
            self._wake(UUID(payload))

    def _wake(self, upload: UUID, *, ended: bool = True) -> None:
        for waiter in self._waiters.get(upload, ()):
            if not waiter.done():
                waiter.set_result(ended)

    async def _poll(self) -> None:
        # Notifications are a hint; a lost one costs a waiting request at most this long.
        while True:
            await asyncio.sleep(POLL_S)
            if self._waiters:
                try:
                    await self._ask(list(self._waiters))
                except (*UNREACHABLE, asyncpg.PostgresError) as error:
                    log.get().warning("waiting_poll_failed", reason=str(error))

    async def _ask(self, asked: list[UUID]) -> None:
        async with self._pool.acquire() as conn:
            for upload in await uploads.finished_of(conn, asked):
                self._wake(upload)


WAITING = web.AppKey("waiting", Waiting)
