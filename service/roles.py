"""The roles, each a process: what it opens, and how long it runs."""

import asyncio
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from service import app, applying, log, looking, measuring, resources, retaining, stopping
from service.attempting import Attempting
from service.delivering import TRY_S, Deliverer, Room
from service.fetching import Fetcher
from service.gathering import Gatherer
from service.intake import Intake
from service.local import server as local_server
from service.measuring import Calls, MeasuredClient, MeasuredDecoders, MeasuredPoster
from service.pictures import headers
from service.retaining import Keeping
from service.reviewing import Terms
from service.settings import Settings
from service.store import migrations
from service.web import application, serving
from service.web.operations import Readiness
from service.web.waiting import Waiting
from service.worker import Pace, Worker

WEB_CONNECTIONS = 10
WORKER_CONNECTIONS = 8
DELIVER_CONNECTIONS = 4


async def serve(configured: Settings, listener: socket.socket | None = None) -> None:
    """Answer HTTP until SIGTERM; then say so on /readyz, finish what was begun, and return."""
    where = app.database_of(configured)
    async with app.opened(where, "serve", WEB_CONNECTIONS) as pool:
        limits = headers.Limits()
        disk = configured.data_dir if configured.data_dir.exists() else Path.cwd()
        readiness = Readiness(migrations.read(resources.folder("migrations"))[-1].version, disk)
        address = app.public_url(configured)
        api = application.create(
            pool,
            Intake(pool, limits, configured.ruleset, address, configured.fetch_hosts),
            Waiting(pool, where),
            readiness,
            limits.max_bytes,
            app.offers_of(configured),
            configured.callback_hosts,
            bounds=app.bounds_of(configured),
            terms=Terms(undo=timedelta(seconds=configured.undo_s)),
        )
        place = serving.Place(configured.host, configured.port, listener)
        await serving.serve(api, place, configured.grace_s, stopping.on_signals(configured.grace_s))


async def work(configured: Settings) -> None:
    """Work on uploads until SIGTERM; then finish or release what is held, and return."""
    where = app.database_of(configured)
    upstreams = app.upstreams_of(configured)
    pace = Pace(configured.concurrency, timedelta(seconds=configured.lease_s), configured.grace_s)
    second_look, address = app.second_look_of(configured, upstreams), app.public_url(configured)
    # Names are looked up in threads: those that hang must leave some for the rest of the work.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
    async with (
        app.opened(where, "work", WORKER_CONNECTIONS) as pool,
        measuring.shown(pool, configured.host, configured.metrics_port) as process,
        MeasuredClient(Calls(process.registry, "calls", "Calls of upstreams")) as client,
        Fetcher() as fetcher,
        looking.opened(second_look) as detectors,
    ):
        decoders = MeasuredDecoders(configured.decoders, process.registry)
        await decoders.start()
        try:
            attempting = Attempting(
                pool,
                decoders,
                client,
                upstreams,
                address,
                detectors=detectors,
                keep_raw=configured.keep_raw,
            )
            names = [one.name for one in upstreams]
            log.get().info("working", upstreams=names, second_look=second_look, pid=os.getpid())
            gatherer = Gatherer(pool, where, fetcher, configured.fetch_hosts, address)
            stop = stopping.on_signals(configured.grace_s)
            worker = Worker(pool, where, attempting, pace)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(worker.run(stop))
                tasks.create_task(gatherer.run(stop))
        finally:
            await decoders.stop()


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


async def local(
    configured: Settings,
    port: int,
    listener: socket.socket | None,
    ready: Callable[[str], None],
    *,
    redact: bool,
) -> None:
    """Run only the local edits endpoint until SIGTERM; without ``redact`` it edits nothing."""
    await local_server.serve(
        host=configured.host,
        port=port,
        processes=configured.local_processes,
        sock=listener,
        ready=ready,
        redact=redact,
    )
