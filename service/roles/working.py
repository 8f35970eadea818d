"""The role that works on uploads."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from service import allocator, app, log, looking, measuring, stopping
from service.attempting import Attempting
from service.fetching import Fetcher
from service.gathering import Gatherer
from service.measuring import Calls, MeasuredClient, MeasuredDecoders
from service.roles import WORKER_CONNECTIONS
from service.settings import Settings
from service.worker import Pace, Worker

# Answers, with the pictures in them, are held in memory that was freed before.
_KEPT_BYTES = 32 << 20
_LARGEST_BLOCK = 4 << 20


async def work(configured: Settings) -> None:
    """Work on uploads until SIGTERM; then finish or release what is held, and return."""
    allocator.keep_freed(_KEPT_BYTES, block=_LARGEST_BLOCK)
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
