"""Upstreams that are out of service for eight seconds under load: no upload ends, few calls go."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from service.attempting import ASKING_PER_S
from service.edits import outcomes
from service.store import Pool
from service.store.database import Database
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.limits.endpoint import Endpoint
from tests.limits.queueing import publish, queue, until_states
from tests.upstream import described, error

pytestmark = pytest.mark.slow
OUTAGE_S = 8.0
# About one a second, once the calls that were under way have failed.
PROBES = 10
UPLOADS = 40
UPLOADS_PER_S = 3.2
# Each fails in its own way, but for the last; each has a model and a ruleset of its own.
UNREACHABLE, OVERLOADED, UNAUTHORISED, HEALTHY = NAMES = (
    "unreachable",
    "overloaded",
    "unauthorised",
    "healthy",
)
_FINISHED = """
    SELECT ruleset, count(*) AS n FROM uploads WHERE finished_at > $1 GROUP BY ruleset
"""
_CALLS = """
    SELECT upstream, count(*) AS n FROM attempts WHERE started_at > $1 GROUP BY upstream
"""
_LONGEST_WAIT = """
    SELECT extract(epoch FROM max(due_at - now()))::float8 AS wait_s, count(*) AS waiting
      FROM uploads WHERE waiting_for = 'upstream'
"""


@pytest.fixture
async def endpoints() -> AsyncIterator[dict[str, Endpoint]]:
    """An endpoint for each name."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(Endpoint().opened()) for name in NAMES}


def written(folder: Path, endpoints: dict[str, Endpoint]) -> Path:
    """Write the settings that name the endpoints."""
    path = folder / "moderation.toml"
    tables = [
        f'[[upstream]]\nname = "{name}"\nmodel = "{name}"\nurl = "{one.url}"\nprice_usd = 0.01'
        for name, one in endpoints.items()
    ]
    path.write_text("\n".join(tables))
    return path


async def load(pool: Pool) -> None:
    """Queue an upload for every upstream again and again, as they come in on a normal day."""
    for number in range(UPLOADS):
        for name in NAMES:
            await queue(pool, 1, name, first_width=1 + number)
        await asyncio.sleep(1 / UPLOADS_PER_S)


async def all_called(endpoints: dict[str, Endpoint]) -> bool:
    """Tell whether each of them has seen a few calls."""
    return all(len(one.arrived) > 2 for one in endpoints.values())


async def fail(endpoints: dict[str, Endpoint]) -> None:
    await endpoints[UNREACHABLE].refuse()
    endpoints[OVERLOADED].answer = error(503, "overloaded")
    endpoints[UNAUTHORISED].answer = error(401, "invalid_api_key")


async def recover(endpoints: dict[str, Endpoint]) -> None:
    await endpoints[UNREACHABLE].listen()
    for one in endpoints.values():
        one.answer = described()


async def check_outage(owner: Owner) -> None:
    """Let the outage last; then check what went out, what ended, and how long others wait."""
    await asyncio.sleep(1)  # Calls that were under way come to their end.
    begin = await owner.fetchval("SELECT now()")
    await asyncio.sleep(OUTAGE_S - 1)
    finished = {row["ruleset"]: row["n"] for row in await owner.fetch(_FINISHED, begin)}
    assert set(finished) == {HEALTHY}
    assert finished[HEALTHY] > UPLOADS_PER_S * (OUTAGE_S - 1) / 2
    calls = {row["upstream"]: row["n"] for row in await owner.fetch(_CALLS, begin)}
    for name in (UNREACHABLE, OVERLOADED, UNAUTHORISED):
        assert OUTAGE_S / 2 <= calls[name] <= PROBES, calls
    waits = await owner.fetchrow(_LONGEST_WAIT)
    assert waits is not None
    assert waits["waiting"] >= UPLOADS / 2
    # Others may have waited as well when the one that waits longest was told for how long.
    unhealthy = UPLOADS * (len(NAMES) - 1)
    assert waits["wait_s"] <= max(outcomes.PAUSE_S, unhealthy / ASKING_PER_S)


async def check_books(owner: Owner, endpoints: dict[str, Endpoint]) -> None:
    """Check that each upload has one record, one callback, and a row for each of its calls."""
    total = UPLOADS * len(NAMES)
    assert await owner.fetchval("SELECT count(*) FROM records") == total
    told = await owner.fetch("SELECT type, count(DISTINCT upload_id) FROM callbacks GROUP BY type")
    assert [tuple(row) for row in told] == [("upload.described", total)]
    assert await owner.fetchval("SELECT max(charges) FROM uploads") < outcomes.MAX_ATTEMPTS
    ledger = await owner.fetch(
        "SELECT upstream, outcome, count(*) AS n FROM attempts GROUP BY upstream, outcome"
    )
    for name, one in endpoints.items():
        rows = {row["outcome"]: row["n"] for row in ledger if row["upstream"] == name}
        assert rows.pop("described") == UPLOADS
        # A connection that the port took while it was shut down is cut before anyone reads it.
        unread = rows.get("unreachable", 0) + rows.get("cut_off", 0)
        assert len(one.arrived) == UPLOADS + sum(rows.values()) - unread
        assert rows.get("cut_off", 0) <= 2
        assert set(rows) - {"cut_off"} <= {
            {UNREACHABLE: "unreachable", OVERLOADED: "upstream_error"}.get(name, "unauthorised")
        }


async def test_three_outages_at_once(
    pool: Pool,
    where: Database,
    owner: Owner,
    endpoints: dict[str, Endpoint],
    tmp_path: Path,
) -> None:
    """
    One refuses connections, one answers 503, one 401, each for eight seconds under load.

    About one call a second goes to each, from both worker processes together; none of their
    uploads ends, those of a healthy upstream do; afterwards all are done within a few seconds.
    """
    for name in NAMES:
        await publish(pool, name, model=name)
    config = written(tmp_path, endpoints)
    async with (
        processes.work(where, endpoints[HEALTHY].url, config=config, concurrency=8),
        processes.work(where, endpoints[HEALTHY].url, config=config, concurrency=8),
        asyncio.TaskGroup() as tasks,
    ):
        loading = tasks.create_task(load(pool))
        await driving.until(partial(all_called, endpoints), "every upstream is called")
        await fail(endpoints)
        await check_outage(owner)
        await recover(endpoints)
        await loading
        loaded_at = time.monotonic()
        await until_states(owner, done=UPLOADS * len(NAMES))
        assert time.monotonic() - loaded_at < 6.0
    await check_books(owner, endpoints)
