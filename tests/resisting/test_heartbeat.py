"""Leases are renewed whatever the main loop is busy with, and not for ever."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Self
from uuid import UUID

import asyncpg
import pytest

from service.heartbeat import SILENT_LEASES
from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.resisting import logs
from tests.upstream import Upstream, hanging

LEASE_S = 0.8
LEFT = "SELECT extract(epoch FROM due_at - now())::float8 FROM uploads WHERE id = $1"


class Watch:
    """Notes from a thread of its own how many seconds an upload's lease has left."""

    def __init__(self, dsn: str, upload: UUID) -> None:
        self._dsn, self._upload = dsn, upload
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look()))
        self.left: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _look(self) -> None:
        conn = await asyncpg.connect(self._dsn)
        while not self._over.is_set():
            self.left.append(await conn.fetchval(LEFT, self._upload))
            await asyncio.sleep(0.02)
        await conn.close()


def busy_for(seconds: float) -> None:
    """Hold up this thread's event loop, as a computation does that never lets go."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize(
    ("leases", "kept"), [(SILENT_LEASES - 0.5, True), (SILENT_LEASES + 2.0, False)]
)
async def test_a_blocked_main_loop_keeps_its_leases_for_a_while(
    leases: float,
    kept: bool,  # noqa: FBT001  # a column of the table
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """While it computes no lease runs out; where it may never come back, others take over."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    lease = timedelta(seconds=LEASE_S)
    async with driving.worker(pool, where, decoders, configured(upstream.url), lease=lease):
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        with Watch(where.dsn, upload) as watch:
            busy_for(leases * LEASE_S)
        until.set()
        (row,) = await driving.ended(owner, upload)
    assert len(watch.left) > 10
    assert (min(watch.left) > 0) == kept, min(watch.left)
    assert row["state"] == "done"
    if kept:
        assert (row["attempt"], len(upstream.calls)) == (1, 1)


@pytest.mark.slow
async def test_a_log_that_nobody_reads_costs_no_lease(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """A process held up by a full pipe keeps the call in flight, and writes its answer later."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    async with logs.worker(where, upstream.url) as (_, stderr):
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        stderr.fill()
        # Its end is logged, and nobody takes the line.
        other = await driving.queued(pool, draw.png(9, 9, "red"))
        await driving.ended(owner, other)
        with Watch(where.dsn, upload) as watch:
            # Two leases: what is polled is the passing of time itself.
            begun = time.monotonic()

            async def passed() -> bool:
                return time.monotonic() - begun > 4

            await driving.until(passed, "two leases are over")
        until.set()
        assert (await driving.row(owner, upload))["state"] == "working"
        stderr.drain()
        (row,) = await driving.ended(owner, upload)
    assert min(watch.left) > 0
    assert (row["state"], row["attempt"], len(upstream.calls)) == ("done", 1, 2)
