"""How a worker claims: in batches once it is full, and never so that an upload waits for others."""

import asyncio
from datetime import timedelta
from functools import partial

from service.attempting import Attempting
from service.store import Pool
from service.store.database import Database
from service.worker import BATCH, Pace, Worker
from tests import draw
from tests.flows import driving
from tests.flows.driving import Owner
from tests.upstream import Upstream, hanging

LEASE = timedelta(seconds=60)
# Notes of each statement that claimed anything how many uploads it took.
_NOTED = """
    CREATE TABLE claims (place serial, uploads integer NOT NULL);
    CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        INSERT INTO claims (uploads)
        SELECT count(*) FROM now_so JOIN before USING (id) WHERE now_so.attempt > before.attempt
        HAVING count(*) > 0;
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_claim AFTER UPDATE ON uploads
        REFERENCING OLD TABLE AS before NEW TABLE AS now_so
        FOR EACH STATEMENT EXECUTE FUNCTION note_claim();
"""


async def test_a_full_worker_claims_in_batches(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, attempting: Attempting
) -> None:
    """Uploads that end one by one make room for a batch, which one statement takes."""
    pace = Pace(16, LEASE, grace_s=5.0, gather_s=driving.DEADLINE_S)
    await owner.execute(_NOTED)
    gates = [asyncio.Event() for _ in range(24)]
    upstream.script = [hanging(gate) for gate in gates]
    uploads = [await driving.queued(pool, draw.png(8 + n, 8, "red")) for n in range(len(gates))]
    stop = asyncio.Event()
    task = asyncio.create_task(Worker(pool, where, attempting, pace).run(stop))
    for number, gate in enumerate(gates):
        gate.set()
        await driving.until(partial(_ended, owner, number + 1), "the answer is written")
    stop.set()
    await task
    sizes = [
        row["uploads"] for row in await owner.fetch("SELECT uploads FROM claims ORDER BY place")
    ]
    assert sizes[:2] == [BATCH, pace.concurrency - BATCH]
    assert sum(sizes) == len(uploads)
    # What ends while a claim is on its way may be in it as well, so a later one may be smaller.
    assert len(sizes) <= 4, sizes


async def test_the_last_place_is_given_without_waiting_for_others(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, attempting: Attempting
) -> None:
    """A worker with next to no room claims what is due although no other upload ends."""
    pace = Pace(16, LEASE, grace_s=5.0)
    until = asyncio.Event()
    upstream.script = [hanging(until)] * 15
    for number in range(16):
        await driving.queued(pool, draw.png(8 + number, 8, "red"))
    stop = asyncio.Event()
    task = asyncio.create_task(Worker(pool, where, attempting, pace).run(stop))
    await driving.until(partial(_ended, owner, 1), "the one whose answer came has ended")
    late = await driving.queued(pool, draw.png(9, 9, "teal"))

    async def done() -> bool:
        return bool((await driving.row(owner, late))["state"] == "done")

    await driving.until(done, "the late one has ended before the others")
    assert await _ended(owner, 2)
    until.set()
    stop.set()
    await task


async def _ended(owner: Owner, number: int) -> bool:
    return bool(await owner.fetchval("SELECT count(*) FROM uploads WHERE state = 'done'") == number)
