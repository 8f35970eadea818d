"""``max_in_flight``: a limit that all workers keep together, and that is used in full."""

import asyncio
import itertools
import signal
import statistics
import time
from datetime import timedelta
from typing import Any

from aiohttp import web

from service import limiting
from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests.conftest import configured
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.limits.endpoint import Endpoint
from tests.limits.queueing import queue, until_states
from tests.upstream import Answer, Call, described, hanging

LIMIT = 4


def together() -> Answer:
    """Answer as many calls as the limit allows once all of them are there, however slow we are."""
    barrier = asyncio.Barrier(LIMIT)

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        await barrier.wait()
        return await described()(call, request)

    return answer


async def test_two_processes_keep_one_limit(
    pool: Pool, where: Database, owner: Owner, endpoint: Endpoint
) -> None:
    """With work for eight times as many, the upstream sees as many calls at once as allowed."""
    endpoint.answer = together()
    limit: dict[str, Any] = {"upstream_max_in_flight": LIMIT}
    async with (
        processes.work(where, endpoint.url, **limit),
        processes.work(where, endpoint.url, **limit),
    ):
        await queue(pool, 8 * LIMIT)
        await until_states(owner, done=8 * LIMIT)
    assert endpoint.most == LIMIT
    assert len(endpoint.arrived) == 8 * LIMIT


async def test_tasks_of_one_process_keep_the_limit(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """With four times as many at work as may call, each upload has its turn, at one attempt."""
    endpoint.answer = together()
    limited = configured(endpoint.url, max_in_flight=LIMIT)
    await queue(pool, 8 * LIMIT)
    async with driving.worker(pool, where, decoders, limited, concurrency=4 * LIMIT):
        await until_states(owner, done=8 * LIMIT)
    assert endpoint.most == LIMIT
    assert await owner.fetchval("SELECT max(attempt) FROM uploads") == 1


async def test_next_call_begins_when_one_ends(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """The smallest limit lets one call out after the other, as each ends and not by polling."""
    await queue(pool, 20)
    limited = configured(endpoint.url, max_in_flight=1)
    async with driving.worker(pool, where, decoders, limited):
        await until_states(owner, done=20)
    assert endpoint.most == 1
    gaps_s = [after - before for before, after in itertools.pairwise(endpoint.arrived)]
    assert statistics.median(gaps_s) < 0.8 * limiting.LOOK_AGAIN_S


async def test_waiting_uploads_keep_their_lease(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """However long they wait for room, no other attempt begins and none is charged for it."""
    until = asyncio.Event()
    endpoint.answer = hanging(until)
    limited = configured(endpoint.url, max_in_flight=1)
    await queue(pool, 5)
    lease = timedelta(seconds=0.9)
    async with driving.worker(pool, where, decoders, limited, lease=lease):
        await until_states(owner, working=5)
        claimed_until = await owner.fetchval("SELECT max(due_at) FROM uploads")

        async def renewed() -> bool:
            earliest = await owner.fetchval("SELECT min(due_at) FROM uploads")
            return bool(earliest > claimed_until + lease)

        await driving.until(renewed, "every lease was renewed for longer than it lasts")
        until.set()
        await until_states(owner, done=5)
    rows = await owner.fetch("SELECT attempt, charges FROM uploads")
    assert {(row["attempt"], row["charges"]) for row in rows} == {(1, 1)}


async def test_calls_of_a_killed_worker_count_until_its_lease_ends(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """The places of a killed worker are free when its lease has run out, and no sooner."""
    until = asyncio.Event()
    endpoint.answer = hanging(until)
    lease_s = 3.0
    limit: dict[str, Any] = {"upstream_max_in_flight": 2}
    async with processes.work(where, endpoint.url, lease_s=lease_s, **limit) as victim:
        await queue(pool, 2)

        async def full() -> bool:
            return len(endpoint.arrived) == 2

        await driving.until(full, "both places are taken")
        victim.kill()
        await victim.wait()
        killed_at = time.monotonic()
    limited = configured(endpoint.url, max_in_flight=2, name="default")
    # The others are all that it can hold, so that it takes over nothing before it calls.
    await queue(pool, 3, first_width=10)
    async with driving.worker(pool, where, decoders, limited, concurrency=3):
        until.set()
        await until_states(owner, done=5)
    # Leases are renewed every third of their time.
    assert lease_s * 2 / 3 - 0.5 < endpoint.arrived[2] - killed_at < lease_s + 2
    lost = await owner.fetchval("SELECT count(*) FROM attempts WHERE outcome = 'lost'")
    assert (lost, len(endpoint.arrived)) == (2, 7)


async def test_stopped_worker_lets_go_of_those_who_wait(
    pool: Pool, where: Database, owner: Owner, endpoint: Endpoint
) -> None:
    """On SIGTERM uploads that wait for room are due again at once, uncharged; no call begins."""
    until = asyncio.Event()
    endpoint.answer = hanging(until)
    limit: dict[str, Any] = {"upstream_max_in_flight": 1}
    async with processes.work(where, endpoint.url, lease_s=60, **limit) as process:
        await queue(pool, 5)
        await until_states(owner, working=5)

        async def called() -> bool:
            return len(endpoint.arrived) == 1

        await driving.until(called, "the one call is under way")
        process.send_signal(signal.SIGTERM)
        await until_states(owner, queued=4, working=1)
        until.set()
        assert await asyncio.wait_for(process.wait(), 15) == 0
    await until_states(owner, queued=4, done=1)
    rows = await owner.fetch(
        "SELECT charges, waiting_for, due_at <= now() AS due FROM uploads WHERE state = 'queued'"
    )
    assert {tuple(row.values()) for row in rows} == {(0, None, True)}
    assert len(endpoint.arrived) == 1
    assert await owner.fetchval("SELECT count(*) FROM attempts") == 1


async def test_stop_does_not_wait_for_the_rate(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """Uploads that would be called in some seconds are given back at once, uncharged."""
    limited = configured(endpoint.url, requests_per_minute=15)
    async with driving.worker(pool, where, decoders, limited) as stop:
        await queue(pool, 5)
        await until_states(owner, done=1, working=4)
        stop.set()
        stopped_at = time.monotonic()
        await until_states(owner, done=1, queued=4)
        assert time.monotonic() - stopped_at < 1.5
    assert await owner.fetchval("SELECT max(charges) FROM uploads WHERE state = 'queued'") == 0
    assert len(endpoint.arrived) == 1


async def test_use_is_noted_now_and_then(pool: Pool) -> None:
    """An upstream that nothing limits stays known while it is called, without a write a call."""
    upstream = configured("http://127.0.0.1:9/v1", name="calm")
    seen = "SELECT seen_at FROM upstreams WHERE name = 'calm'"
    async with pool.acquire() as conn:
        assert await limiting.permit(conn, upstream) is None
        first = await conn.fetchval(seen)
        assert await limiting.permit(conn, upstream) is None
        assert await conn.fetchval(seen) == first
        await conn.execute("UPDATE upstreams SET seen_at = now() - interval '2 hours'")
        assert await limiting.permit(conn, upstream) is None
        assert await conn.fetchval(seen) >= first
