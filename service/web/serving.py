"""Runs the application on a socket, and drains it: readiness first, then what was begun."""

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass

from aiohttp import web

from service import allocator, log
from service.errors import StartRefused
from service.web import operations
from service.web.admission import LARGE_BYTES
from service.web.waiting import WAITING

NOTICE_S = 2.0
# Requests that are not answered when the grace is over are cut off.
CUT_S = 0.5
BACKLOG = 1024
_KEPT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: an address, or a socket that `up` holds while we come and go."""

    host: str
    port: int
    listener: socket.socket | None = None


async def serve(app: web.Application, place: Place, grace_s: float, stop: asyncio.Event) -> None:
    """
    Answer HTTP until ``stop``; then say so on /readyz, finish what was begun, and return.

    Raises:
        StartRefused: The address cannot be listened on.
    """
    allocator.keep_freed(_KEPT_BYTES, block=LARGE_BYTES)
    # Bodies arrive as they were sent: a gzip bomb must not unpack before we refuse it.
    runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=CUT_S)
    await runner.setup()
    try:
        site = await _site(runner, place)
        log.get().info("serving", address=site.name)
        await stop.wait()
        readiness = app[operations.READINESS]
        readiness.draining = True
        log.get().info("draining", requests=readiness.busy, grace_s=grace_s)
        deadline = asyncio.get_running_loop().time() + grace_s
        if place.listener is None:
            # A balancer reads /readyz and takes us out before connections are refused; where `up`
            # holds the socket, there is none.
            await asyncio.sleep(min(NOTICE_S, grace_s / 4))
        await site.stop()
        await app[WAITING].release(app)
        # The runner drops what still arrives of a body, so it is cleaned up only after that.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await readiness.idle.wait()
    finally:
        await runner.cleanup()


async def _site(runner: web.AppRunner, place: Place) -> web.BaseSite:
    site: web.BaseSite
    if place.listener is not None:
        site = web.SockSite(runner, place.listener, backlog=BACKLOG)
    else:
        site = web.TCPSite(runner, place.host, place.port, backlog=BACKLOG)
    try:
        await site.start()
    except OSError as error:
        # asyncio's own text of the error repeats the address and is not the system's.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartRefused(
            f"cannot listen on {place.host}:{place.port}: {reason}; "
            "choose another with MODERATION_HOST and MODERATION_PORT"
        ) from error
    return site
