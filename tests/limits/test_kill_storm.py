"""Worker processes killed again and again: every upload is done, once, and the books are right."""

import asyncio
import random
from asyncio.subprocess import Process
from collections import Counter
from functools import partial

import pytest

from service.store import Pool
from service.store.database import Database
from tests.conftest import PRICE
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.limits.endpoint import Endpoint
from tests.limits.queueing import queue, until_states

pytestmark = pytest.mark.slow
SEED = 3
WORKERS = 3
CONCURRENCY = 8
KILLS = 10
UPLOADS = 200
_LEDGER = """
    SELECT sent_sha256, count(*) AS rows, count(*) FILTER (WHERE outcome = 'lost') AS lost,
           sum(cost_microusd)::bigint AS cost
      FROM attempts GROUP BY sent_sha256
"""


async def keep_working(where: Database, url: str, alive: list[Process]) -> None:
    """Run a worker process, and another one whenever it was killed."""
    while True:
        async with processes.work(where, url, lease_s=2.0, concurrency=CONCURRENCY) as process:
            alive.append(process)
            await process.wait()
            alive.remove(process)


async def storm(pool: Pool, endpoint: Endpoint, alive: list[Process]) -> None:
    """Queue the uploads in as many parts as there are kills; kill in the middle of each part."""
    chosen = random.Random(SEED)
    part = UPLOADS // KILLS
    for number in range(KILLS):
        await queue(pool, part, first_width=1 + number * part)
        called = len(endpoint.arrived)
        await driving.until(partial(busy, endpoint, called + part // 2, alive), "calls are made")
        chosen.choice(alive).kill()


async def busy(endpoint: Endpoint, called: int, alive: list[Process]) -> bool:
    """Tell whether so many calls have come and some are under way, by workers that live."""
    return bool(alive) and endpoint.under_way > 0 and len(endpoint.arrived) >= called


async def test_kill_storm(pool: Pool, where: Database, owner: Owner, endpoint: Endpoint) -> None:
    """
    Ten times one of three workers is killed in the middle of its calls.

    A call is entered before it is sent, so a kill in between leaves a row at full price, ``lost``,
    without a call; for the rest, rows and calls agree picture by picture.
    """
    alive: list[Process] = []
    async with asyncio.TaskGroup() as tasks:
        keep = partial(keep_working, where, endpoint.url, alive)
        workers = [tasks.create_task(keep()) for _ in range(WORKERS)]
        await storm(pool, endpoint, alive)
        await until_states(owner, done=UPLOADS)
        for worker in workers:
            worker.cancel()

    assert await owner.fetchval("SELECT count(*) FROM records") == UPLOADS
    told = await owner.fetch("SELECT type, count(DISTINCT upload_id) FROM callbacks GROUP BY type")
    assert [tuple(row) for row in told] == [("upload.described", UPLOADS)]
    await check_books(owner, endpoint.pictures)


async def check_books(owner: Owner, calls: Counter[bytes]) -> None:
    """Compare the ledger with what the upstream counted, picture by picture."""
    ledger = await owner.fetch(_LEDGER)
    assert calls.total() <= UPLOADS + KILLS * CONCURRENCY
    unsent = 0
    for row in ledger:
        assert row["rows"] == row["lost"] + 1
        assert row["cost"] == row["rows"] * PRICE
        assert 0 <= row["rows"] - calls[row["sent_sha256"]] <= row["lost"]
        unsent += row["rows"] - calls[row["sent_sha256"]]
    assert 0 < sum(row["lost"] for row in ledger) <= KILLS * CONCURRENCY
    assert sum(row["cost"] for row in ledger) == (calls.total() + unsent) * PRICE
    spent = await owner.fetchrow(
        "SELECT sum(spent_microusd)::bigint AS spent, sum(reserved_microusd)::bigint AS reserved "
        "FROM spending WHERE scope = 'global' AND period = 'month'"
    )
    assert spent is not None
    assert tuple(spent) == ((calls.total() + unsent) * PRICE, 0)
