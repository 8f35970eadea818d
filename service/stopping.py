"""
How a process is told to stop, and how work is left then.

The first signal asks: what is under way ends within the grace.  The second one, or a grace that is
over and brought no end, stops at once: what can be released is, for a moment, and the exit code is
1.  Nothing is lost even so, since what was held comes due again when its lease runs out.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable
from typing import Final

from service import log

# How long what is held may be released for, once told to stop at once.
RELEASE_S: Final = 2.0
# What is late by so much after the grace does not come to an end by itself.
LATE_S: Final = 5.0
_SAY_S: Final = 0.2


def on_signals(grace_s: float, *, release_s: float = RELEASE_S) -> asyncio.Event:
    """
    Give an event that SIGTERM or SIGINT sets.

    The second signal cancels the task that asked for the event, and ends the process with exit code
    1 if that takes longer than ``release_s``; so does ``grace_s`` and ``LATE_S`` after the first.
    """
    stop = asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    limits = iter((grace_s + LATE_S, release_s))

    def heard() -> None:
        if not stop.is_set():
            stop.set()
        elif task is not None:
            log.get().warning("stopping_at_once")
            task.cancel()

    def told(*_: object) -> None:
        if (limit := next(limits, None)) is not None:
            _end_after(limit)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, heard)
        # The loop is woken all the same; this also runs where something holds the loop up.
        signal.signal(number, told)
    return stop


async def unless(stop: asyncio.Event, work: Awaitable[bool]) -> bool:
    """Do the work, but leave it when told to stop."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        return False
    return task.result()


def _end_after(seconds: float) -> None:
    """End the process then; who reads its log may be what holds it up, and is not waited for."""
    say = threading.Timer(seconds, log.get().error, ("stopped_hard",), {"late_s": seconds})
    end = threading.Timer(seconds + _SAY_S, os._exit, (1,))
    for timer in (say, end):
        timer.daemon = True
        timer.start()
