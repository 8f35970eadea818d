"""The role that applies decisions, delivers callbacks and deletes what was kept long enough."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from service import app, applying, log, measuring, retaining, stopping
from service.delivering import TRY_S, Deliverer, Room
from service.measuring import Calls, MeasuredPoster
from service.retaining import Keeping
from service.roles import DELIVER_CONNECTIONS
from service.settings import Settings


async def deliver(configured: Settings) -> None:
    """Apply decisions, deliver callbacks, delete what was kept long enough, until SIGTERM."""
    where = app.database_of(configured)
    room = Room()
    # Names are looked up in threads: those that hang must leave some for the others.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(room.overall))
    async with (
        app.opened(where, "deliver", DELIVER_CONNECTIONS) as pool,
        measuring.shown(pool, configured.host, configured.metrics_port) as process,
        MeasuredPoster(
            configured.callback_hosts, TRY_S, Calls(process.registry, "deliveries", "Callbacks")
        ) as poster,
    ):
        log.get().info("delivering", private_hosts=configured.callback_hosts, pid=os.getpid())
        stop = stopping.on_signals(configured.grace_s)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(applying.run(pool, app.public_url(configured), stop))
            deliverer = Deliverer(pool, where, poster, room)
            tasks.create_task(deliverer.run(stop, configured.grace_s))
            tasks.create_task(retaining.run(pool, keeping_of(configured), stop))


def keeping_of(configured: Settings) -> Keeping:
    """Tell how long which uploads are kept."""
    allowed = configured.retention_allowed_days or configured.retention_days
    return Keeping(
        allowed=_days(allowed),
        decided=_days(configured.retention_days),
        waiting=_days(configured.retention_waiting_days),
    )


def _days(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(days=number)
