"""
Keeps the leases of uploads from a thread of its own, whatever the main loop is busy with.

The thread has its own event loop and its own database connection, so that neither a callback that
takes long nor a pool without a free connection costs a lease.  It is a thread and no process: the
only thing that could hold it up is a call that keeps the interpreter's lock for longer than a
lease, and what is long here is done by child processes; a process would have to be told of each
upload, and would renew for a parent that was stopped.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

from service import log
from service.store import Conn, uploads
from service.store.database import Database

# Renewed so many times as often as needed, so that two that fail in a row cost nothing.
OFTEN = 3
# The main loop may be silent for so many leases; then others take over what it holds.  It may never
# come back, and its uploads must not wait for ever.
SILENT_LEASES = 3


class Heartbeat:
    """
    Renews while it is open as a context manager, and while the main loop shows life.

    Args:
        held: Gives the uploads held, id to attempt; it is called in the thread.
        lost: Told in the main loop of an upload, and its attempt, that another worker has.
    """

    def __init__(
        self,
        database: Database,
        lease: timedelta,
        held: Callable[[], Mapping[UUID, int]],
        lost: Callable[[UUID, int], None],
    ) -> None:
        self._database, self._lease = database, lease
        self._held, self._lost = held, lost
        self._pause_s = lease.total_seconds() / OFTEN
        self._alive_at = time.monotonic()
        self._conn: Conn | None = None
        # A process that ends in a hurry does not wait for it.
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    async def __aenter__(self) -> Self:
        self._main = asyncio.get_running_loop()
        self._living = asyncio.create_task(self._show_life())
        self._loop = asyncio.new_event_loop()
        self._beating = self._loop.create_task(self._beat())
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._living.cancel()
        self._loop.call_soon_threadsafe(self._beating.cancel)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_cancelled())

    async def _until_cancelled(self) -> None:
        await asyncio.wait((self._beating,))

    async def _show_life(self) -> None:
        while True:
            self._alive_at = time.monotonic()
            await asyncio.sleep(self._pause_s)

    async def _beat(self) -> None:
        silent = False
        try:
            while True:
                begun = time.monotonic()
                silence_s = begun - self._alive_at
                was_silent, silent = silent, silence_s > self._lease.total_seconds() * SILENT_LEASES
                if not silent:
                    await self._renew()
                elif not was_silent:
                    log.get().error("main_loop_silent", silence_s=round(silence_s, 1))
                # What the database took for it must not come on top, where it is slow.
                await asyncio.sleep(max(0.0, begun + self._pause_s - time.monotonic()))
        finally:
            self._disconnect()

    async def _renew(self) -> None:
        """Renew once; an answer that takes longer than the lease comes too late."""
        try:
            # Connected also while nothing is held: it takes longer than to renew, and may take the
            # time that a connection may take, since there is none without it.
            if self._conn is None or self._conn.is_closed():
                self._conn = await self._database.connect(name="renew")
            async with asyncio.timeout(self._pause_s * OFTEN):
                held = dict(self._held())
                still = await uploads.renew(self._conn, held, self._lease) if held else set()
            for upload in held.keys() - still:
                self._main.call_soon_threadsafe(self._lost, upload, held[upload])
        except Exception as error:  # noqa: BLE001  # whatever it was, the next lease must be renewed
            log.get().warning("renew_failed", reason=repr(error)[:300])
            self._disconnect()

    def _disconnect(self) -> None:
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None
