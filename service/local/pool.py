"""A pool of processes that run the detectors; it is built anew when a child dies."""

import asyncio
import importlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Semaphore

from service import log
from service.errors import ServiceError
from service.local import Edited, Job

_WARM_S = 120.0
_PATIENCE_S = 0.5
_logger = log.get()


class PoolUnavailable(ServiceError):
    """No child can take the job now: the pool is warming up, or a child died with the job."""

    code = "pool_unavailable"


class DetectorPool:
    """
    ``processes`` children that each hold all detectors.

    The models are loaded by every child before ``warm`` is true; this process never loads them.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._executor: ProcessPoolExecutor | None = None
        self._building: asyncio.Task[None] | None = None

    @property
    def warm(self) -> bool:
        """Whether a job would be taken now."""
        return self._executor is not None

    async def start(self) -> None:
        """
        Start the children and wait until each has its models.

        Raises:
            PoolUnavailable: A child died or took too long.
        """
        self._building = asyncio.create_task(self._build())
        await self._building

    async def _build(self) -> None:
        context = multiprocessing.get_context("spawn")
        warmed = context.Semaphore(0)
        others = frozenset(multiprocessing.active_children())
        executor = ProcessPoolExecutor(self._processes, context, _warm_up, (warmed,))
        loop = asyncio.get_running_loop()
        try:
            # A spawned child is started by a job that finds no idle one; this many start them all.
            jobs = (loop.run_in_executor(executor, os.getpid) for _ in range(self._processes))
            await asyncio.gather(*jobs)
            async with asyncio.timeout(_WARM_S):
                for _ in range(self._processes):
                    # A short wait at a time, so that a cancelled start leaves no thread behind.
                    while not await asyncio.to_thread(warmed.acquire, timeout=_PATIENCE_S):
                        pass
            self._executor = executor
        except BrokenProcessPool as error:
            raise PoolUnavailable("a detector process died while it was loading") from error
        except TimeoutError as error:
            raise PoolUnavailable(f"a detector process was not warm in {_WARM_S:.0f} s") from error
        finally:
            if self._executor is not executor:
                # A child that is still loading would be waited for, and would miss the semaphore.
                for child in frozenset(multiprocessing.active_children()) - others:
                    child.kill()
                executor.shutdown(wait=False, cancel_futures=True)

    async def edit(self, job: Job) -> Edited:
        """
        Run one job in a child.

        Raises:
            RequestRefused: The picture or the prompt cannot be used.
            DetectorFailed: A detector gave no usable answer.
            PoolUnavailable: Ask again; a new pool is being built.
        """
        executor = self._executor
        if executor is None:
            self._rebuild()
            raise PoolUnavailable("The detectors are being loaded; ask again")
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, _edit, job)
        except BrokenProcessPool as error:
            if self._executor is executor:
                self._executor = None
                executor.shutdown(wait=False, cancel_futures=True)
                self._rebuild()
            raise PoolUnavailable("A detector process died; ask again") from error

    async def stop(self) -> None:
        """Stop the children, after the jobs they have."""
        if self._building:
            self._building.cancel()
            await asyncio.gather(self._building, return_exceptions=True)
        executor, self._executor = self._executor, None
        if executor:
            await asyncio.to_thread(executor.shutdown)

    def _rebuild(self) -> None:
        if self._building is None or self._building.done():
            self._building = asyncio.create_task(self._started_again())

    async def _started_again(self) -> None:
        _logger.warning("detector_pool_rebuilding", processes=self._processes)
        try:
            await self._build()
        except PoolUnavailable as error:
            # The next request tries again, so a machine short of memory is not hammered.
            _logger.exception("detector_pool_failed", exc_info=error)


def _warm_up(warmed: Semaphore) -> None:
    """Prepare a child: outlive Ctrl-C until the parent says so, never outlive the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    # Only children import the detectors; the server stays small and starts fast.
    importlib.import_module("service.local.engine").loaded()
    warmed.release()


def _follow_parent() -> None:
    """End with a parent that was killed: a waiting child would never notice by itself."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _edit(job: Job) -> Edited:
    edited: Edited = importlib.import_module("service.local.engine").loaded().edit(job)
    return edited
