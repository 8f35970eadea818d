"""How a process is told to stop, and how work is left then."""

import asyncio
import signal
from collections.abc import Awaitable


def on_signals() -> asyncio.Event:
    """Give an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
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
