"""All roles on this machine, with what they need."""

import os
from collections.abc import Awaitable, Callable

from service import app, stopping
from service.settings import Settings
from service.up import Plan, Running, running

# How long `up` may take to stop beside the grace of its parts, and when told to stop at once.
STOP_S = 60.0


async def up(
    configured: Settings,
    shown: Callable[[Running], None],
    meanwhile: Callable[[Running], Awaitable[bool]] | None,
    *,
    once: bool,
) -> bool:
    """
    Run everything on this machine until SIGTERM.

    Args:
        shown: Told what is up, once it is.
        meanwhile: Work to do then, which tells whether it succeeded.
        once: Stop after that work.
    """
    # Its parts stop one after the other, those that work before those they need.
    stop = stopping.on_signals(2 * configured.grace_s + STOP_S, release_s=STOP_S)
    succeeded = True
    async with running(_plan(configured), stop) as what:
        shown(what)
        if meanwhile is not None:
            succeeded = await stopping.unless(stop, meanwhile(what))
        if not once:
            await stop.wait()
    return succeeded


def _plan(configured: Settings) -> Plan:
    own = {"MODERATION_DATABASE_URL", "MODERATION_OWNER_DATABASE_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment["MODERATION_DATA_DIR"] = str(configured.data_dir.resolve())
    return Plan(
        data_dir=configured.data_dir.resolve(),
        host=configured.host,
        port=configured.port,
        workers=configured.workers,
        local_processes=configured.local_processes,
        grace_s=configured.grace_s,
        database=app.database_of(configured) if configured.database_url else None,
        # What a worker would refuse is refused here, before anything is started.
        with_local=not (configured.upstream and app.upstreams_of(configured)),
        environment=environment,
    )
