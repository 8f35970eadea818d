"""One picture sent again and again to real processes: exactly one upstream call."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from service import administering
from service.store import Pool
from service.store.database import Database
from tests import draw, reuse
from tests.flows import driving, processes
from tests.flows.driving import TEAL, Owner
from tests.upstream import Upstream, hanging

LEASE_S = 2.0
PARALLEL = 50
REPEATED = 1000
CONNECTIONS = 8


async def platform_token(pool: Pool, tmp_path: Path) -> str:
    async with pool.acquire() as conn:
        return (await administering.first_tokens(conn, tmp_path / "tokens.json"))["platform"]


async def post(
    session: aiohttp.ClientSession, url: str, image: bytes = TEAL, /, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Post a picture; give the status and the body."""
    sent = {"Content-Type": "image/png"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    async with session.post(f"{url}/v1/uploads", data=image, headers=sent) as response:
        return response.status, await response.json(content_type=None)


async def nobody_waits(owner: Owner) -> bool:
    """Tell whether no upload waits for the result of another."""
    return await reuse.waiting(owner) == 0


async def test_parallel_posts_over_two_processes_cost_one_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, tmp_path: Path
) -> None:
    """Fifty at once, half to each API process, all wait and all get the finished upload."""
    authorised = {"Authorization": f"Bearer {await platform_token(pool, tmp_path)}"}
    async with (
        processes.serve(where) as (_, one),
        processes.serve(where) as (_, two),
        processes.work(where, upstream.url, lease_s=LEASE_S),
        aiohttp.ClientSession(
            headers=authorised, connector=aiohttp.TCPConnector(limit=PARALLEL)
        ) as session,
    ):
        urls = [one, two] * (PARALLEL // 2)
        answers = await asyncio.gather(*(post(session, url, Prefer="wait=30") for url in urls))

    assert Counter((status, body["state"]) for status, body in answers) == {(200, "done"): PARALLEL}
    assert await reuse.ends(owner) == {
        ("done", "clean", False): 1,
        ("done", "clean", True): PARALLEL - 1,
    }
    await reuse.check_paid_once(owner, upstream.calls)


async def test_parallel_posts_with_one_key_are_one_upload(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, tmp_path: Path
) -> None:
    """Fifty at once with one key: one upload, call and callback; another platform's is its own."""
    async with pool.acquire() as conn:
        order = administering.Order("platform", "other")
        other = (await administering.create_token(conn, order)).token
    authorised = {"Authorization": f"Bearer {await platform_token(pool, tmp_path)}"}
    async with (
        processes.serve(where) as (_, one),
        processes.serve(where) as (_, two),
        processes.work(where, upstream.url, lease_s=LEASE_S),
        aiohttp.ClientSession(
            headers=authorised, connector=aiohttp.TCPConnector(limit=PARALLEL)
        ) as session,
    ):
        key = {"Idempotency_Key": "order-1"}
        urls = [one, two] * (PARALLEL // 2)
        answers = await asyncio.gather(*(post(session, url, **key) for url in urls))
        taken = {body["id"] for status, body in answers if status == 202}
        refused = {body["code"] for status, body in answers if status == 409}
        assert {status for status, _ in answers} <= {202, 409}
        assert (len(taken), refused <= {"idempotency_in_progress"}) == (1, True)
        status, body = await post(session, two, draw.png(9, 9, "red"), **key)
        assert (status, body["code"]) == (422, "idempotency_mismatch")
        (upload,) = taken
        await reuse.settled(pool, UUID(upload))
        await reuse.check_paid_once(owner, upstream.calls)

        status, body = await post(session, two, Authorization=f"Bearer {other}", **key)
        assert (status, body["platform"], body["reused_from"]) == (202, "other", None)
        await reuse.settled(pool, UUID(body["id"]))
    assert len(upstream.calls) == 2


@pytest.mark.slow
async def test_a_thousand_posts_over_eight_connections_cost_one_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, tmp_path: Path
) -> None:
    """They begin before the first one has ended, and go on after it."""
    authorised = {"Authorization": f"Bearer {await platform_token(pool, tmp_path)}"}
    left = iter(range(REPEATED))
    answered: list[tuple[int, str]] = []
    until = asyncio.Event()
    upstream.script = [hanging(until)]

    async def connection(url: str) -> None:
        """Post over one connection until all are sent."""
        async with aiohttp.ClientSession(
            headers=authorised, connector=aiohttp.TCPConnector(limit=1)
        ) as session:
            for _ in left:
                status, body = await post(session, url)
                answered.append((status, body["state"]))
                if len(answered) == REPEATED // 4:
                    until.set()

    async with (
        processes.serve(where) as (_, one),
        processes.serve(where) as (_, two),
        processes.work(where, upstream.url, lease_s=LEASE_S),
    ):
        await asyncio.gather(*(connection(url) for url in [one, two] * (CONNECTIONS // 2)))

        async def all_ended() -> bool:
            return not await owner.fetchval("SELECT count(*) FROM uploads WHERE state = 'queued'")

        await driving.until(all_ended, "every upload has ended")

    assert {status for status, _ in answered} == {202}
    assert {"queued", "done"} == {state for _, state in answered}
    assert await reuse.ends(owner) == {
        ("done", "clean", False): 1,
        ("done", "clean", True): REPEATED - 1,
    }
    await reuse.check_paid_once(owner, upstream.calls)


async def test_a_killed_worker_leaves_nobody_waiting(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Killed in the middle of ending the followers, it leaves nothing of that to the next one."""
    async with processes.work(where, upstream.url, lease_s=LEASE_S) as victim:
        first = await driving.queued(pool)
        await reuse.settled(pool, first)
        held = owner.transaction()
        await held.start()
        # Followers are made to wait by hand: one that comes now would be ended as it comes.
        await owner.execute("LOCK TABLE callbacks IN EXCLUSIVE MODE")
        async with pool.acquire() as conn:
            for _ in range(150):
                await reuse.follower(conn)
        await driving.until(lambda: driving.blocked(owner), "the followers are being ended")
        victim.kill()
        await victim.wait()
        await held.rollback()
    assert await reuse.ends(owner) == {("done", "clean", False): 1, ("queued", None, False): 150}

    async with processes.work(where, upstream.url, lease_s=LEASE_S):
        await driving.until(lambda: nobody_waits(owner), "nobody waits")
    assert await reuse.ends(owner) == {("done", "clean", False): 1, ("done", "clean", True): 150}
    await reuse.check_paid_once(owner, upstream.calls)


async def test_the_first_ones_worker_killed_in_its_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """The lease runs out, another worker makes the call again, and the followers get its result."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    async with processes.work(where, upstream.url, lease_s=LEASE_S) as victim:
        first, *_ = await reuse.several(pool, 5)
        await upstream.arrived.wait()
        victim.kill()
        await victim.wait()
    async with processes.work(where, upstream.url, lease_s=LEASE_S):
        await driving.until(lambda: nobody_waits(owner), "nobody waits")
    until.set()

    assert await reuse.ends(owner) == {("done", "clean", False): 1, ("done", "clean", True): 4}
    assert [one["outcome"] for one in await driving.attempts_of(owner, first)] == [
        "lost",
        "described",
    ]
    await reuse.check_told_once(owner)
