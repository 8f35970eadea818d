"""A pool of processes that run the detectors; it is built anew when a child dies."""

import asyncio
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.synchronize import Semaphore
from typing import Any, TypeVar

from service import log
from service.errors import ServiceError
from service.local import DetectorFailed, Edited, Job, Look, Seen

_WARM_S = 120.0
_PATIENCE_S = 0.5
_logger = log.get()

Answer = TypeVar("Answer")


class PoolUnavailable(ServiceError):
    """No child can take the job now: the pool is warming up, or a child died with the job."""

    code = "pool_unavailable"


class DetectorPool:
    """
    ``processes`` children that each hold all detectors.

    The models are loaded by every child before ``warm`` is true; this process never loads them.
    A caller that is cancelled leaves its job to the child, which then takes the next one.
    """

    def __init__(self, processes: int, *, redact: bool = True) -> None:
        """Open nothing; without ``redact``, edits are described and not made."""
        self._processes = processes
        self._redact = redact
        self._executor: ProcessPoolExecutor | None = None
        self._building: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def warm(self) -> bool:
        """Whether a job would be taken now."""
        return self._executor is not None

    def start(self) -> None:
        """Start the children in the background; ``ready`` waits for them."""
        self._begin()

    async def ready(self, timeout_s: float | None = None) -> None:
        """
        Wait until each child has its models; a pool that is not being built is begun.

        Raises:
            PoolUnavailable: They have not in that time, a child died, or the pool is stopped.
        """
        if self.warm:
            return
        building = self._begin()
        await asyncio.wait((building,), timeout=timeout_s)
        if not building.done():
            raise PoolUnavailable(f"The detectors were not loaded within {timeout_s} s")
        if building.cancelled():
            raise PoolUnavailable("The detectors were stopped")
        building.result()

    async def edit(self, job: Job) -> Edited:
        """
        Run one job in a child.

        Raises:
            RequestRefused: The picture or the prompt cannot be used.
            DetectorFailed: A detector gave no usable answer.
            PoolUnavailable: Ask again; a new pool is being built.
        """
        return await self._ask(partial(_edit, job, redact=self._redact))

    async def look(self, look: Look) -> Seen:
        """Have a child look at one picture; raises as ``edit`` does."""
        return await self._ask(partial(_look, look))

    async def stop(self) -> None:
        """Stop the children for good, after the jobs they have."""
        self._stopped = True
        if self._building:
            self._building.cancel()
            await asyncio.gather(self._building, return_exceptions=True)
        executor, self._executor = self._executor, None
        if executor:
            await asyncio.to_thread(executor.shutdown)

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        executor = self._executor
        if executor is None:
            self._begin()
            raise PoolUnavailable("The detectors are being loaded; ask again")
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, question)
        except BrokenProcessPool as error:
            if self._executor is executor:
                _logger.warning("detector_process_died", processes=self._processes)
                self._executor = None
                executor.shutdown(wait=False, cancel_futures=True)
                self._begin()
            raise PoolUnavailable("A detector process died; ask again") from error
        except ServiceError:
            raise
        # The libraries raise errors of any class on a picture that they cannot take.
        except Exception as error:
            raise DetectorFailed(f"{type(error).__name__}: {error}") from error

    def _begin(self) -> asyncio.Task[None]:
        """Give the building that is under way, or begin one."""
        if self._stopped:
            raise PoolUnavailable("The detectors were stopped")
        # One that failed is repeated only when it is asked for: memory may be short.
        if self._building is None or self._building.done():
            self._building = asyncio.create_task(self._build())
            self._building.add_done_callback(_log_failure)
        return self._building

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
        except TimeoutError as error:
            raise PoolUnavailable(f"a detector process was not warm in {_WARM_S:.0f} s") from error
        except (BrokenProcessPool, OSError) as error:
            raise PoolUnavailable("a detector process did not start, or died loading") from error
        finally:
            if self._executor is not executor:
                # A child that is still loading would be waited for, and would miss the semaphore.
                for child in frozenset(multiprocessing.active_children()) - others:
                    child.kill()
                executor.shutdown(wait=False, cancel_futures=True)


def _log_failure(building: asyncio.Task[None]) -> None:
    """Tell why there is no pool, also where nobody waits for it."""
    if not building.cancelled() and (error := building.exception()):
        _logger.error("detector_pool_failed", exc_info=error)


def _warm_up(warmed: Semaphore) -> None:
    """Prepare a child: outlive Ctrl-C until the parent says so, never outlive the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _engine()
    warmed.release()


def _follow_parent() -> None:
    """End with a parent that was killed: a waiting child would never notice by itself."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _engine() -> Any:
    """Give the detectors of this child; the parent never imports them, and stays small."""
    return importlib.import_module("service.local.engine").loaded()


def _edit(job: Job, *, redact: bool) -> Edited:
    edited: Edited = _engine().edit(job, redact=redact)
    return edited


def _look(look: Look) -> Seen:
    seen: Seen = _engine().look(look)
    return seen
