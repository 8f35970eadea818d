"""Child processes of `up`: tied to us, restarted when they die, drained when we stop."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from service import log, stopping
from service.tied_exec import tied_command

POLL_S = 0.2
SHORTEST_LIFE_S = 5.0
LONGEST_WAIT_S = 10.0
AT_ONCE_S = stopping.RELEASE_S + 1.0


@dataclass(slots=True)
class Child:
    """
    One role as a process of its own.

    ``arguments`` follow ``python -m service``; ``descriptors`` (listening sockets) stay open in
    the child, so that no connection is refused while it restarts.  ``death_signal`` is what the
    child gets when we are killed.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    descriptors: tuple[int, ...] = ()
    death_signal: signal.Signals = signal.SIGTERM
    process: asyncio.subprocess.Process | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    quick_deaths: int = 0

    async def start(self) -> None:
        """Start the process; it gets ``death_signal`` when we die, however we die."""
        self.started_at = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            *tied_command([sys.executable, "-m", "service", *self.arguments], self.death_signal),
            env=dict(self.environment),
            pass_fds=self.descriptors,
            # Ctrl-C in a terminal reaches us alone, and we drain the children in order.
            start_new_session=True,
        )
        log.get().info("process_started", name=self.name, pid=self.process.pid)

    async def revive(self) -> None:
        """Start it again if it died; the more often it dies young, the later."""
        if self.process is None or self.process.returncode is None:
            return
        now = time.monotonic()
        if not self.due_at:
            young = now - self.started_at < SHORTEST_LIFE_S
            self.quick_deaths = self.quick_deaths + 1 if young else 0
            wait_s = min(0.5 * 2.0**self.quick_deaths, LONGEST_WAIT_S) if young else 0.0
            self.due_at = now + wait_s
            log.get().error(
                "process_died", name=self.name, status=self.process.returncode, restart_in_s=wait_s
            )
        if now >= self.due_at:
            self.due_at = 0.0
            try:
                await self.start()
            except OSError as error:
                # A machine short of memory or processes must not end the watch over the others.
                self.due_at = now + LONGEST_WAIT_S
                log.get().error("process_not_started", name=self.name, reason=str(error))

    def signal(self, number: int) -> None:
        """Send a signal unless the process has ended."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


async def stop(children: list[Child], grace_s: float) -> None:
    """Let all children drain, or stop them at once when cancelled; then end those that are late."""
    waits = [asyncio.create_task(one.process.wait()) for one in children if one.process is not None]
    if not waits:
        return
    _tell(children, signal.SIGTERM)
    try:
        await asyncio.wait(waits, timeout=grace_s)
    except asyncio.CancelledError:
        # We are told to stop at once, and so are they.
        _tell(children, signal.SIGTERM)
        await asyncio.wait(waits, timeout=AT_ONCE_S)
        raise
    finally:
        if late := [one for one in waits if not one.done()]:
            log.get().warning("processes_late", count=len(late))
            _tell(children, signal.SIGKILL)
            await asyncio.wait(late)


def _tell(children: list[Child], number: int) -> None:
    for child in children:
        child.signal(number)


def reap_orphans(children: list[Child]) -> None:
    """
    As PID 1 of a container, wait for processes whose own parents died; else do nothing.

    Our own children are left to asyncio, which waits for each by its pid.
    """
    if os.getpid() != 1:
        return
    ours = {child.process.pid for child in children if child.process is not None}
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)
