"""An endpoint is removed while a callback to it is being written."""

import asyncio

from service import subscribing
from service.store import Conn, Pool
from tests.callbacks.driving import states, subscribe, tell


async def test_one_that_is_removed_meanwhile_costs_no_upload_its_end(
    owner: Conn, pool: Pool
) -> None:
    """A callback waits for an endpoint that is just being removed, and then goes without it."""
    told = await subscribe(owner, "http://127.0.0.1:9/")
    writer = await owner.fetchval("SELECT pg_backend_pid()")
    async with (
        asyncio.timeout(20),
        pool.acquire() as conn,
        asyncio.TaskGroup() as both,
        conn.transaction(),
    ):
        await subscribing.remove(conn, "test", told.endpoint.id, None)
        ending = both.create_task(tell(owner))
        while not await pool.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", writer):
            await asyncio.sleep(0.01)
    kept = await owner.fetchval("SELECT count(*) FROM callbacks WHERE id = $1", ending.result())
    assert kept == 1
    assert await states(owner) == []
