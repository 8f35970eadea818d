"""``requests_per_minute``, configured or learnt from a 429: kept by all workers together."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest

from service import limiting
from service.edits import Upstream as Configured
from service.limiting import EARLY_S
from service.pictures.pool import Decoders
from service.store import Conn, Pool, uploads
from service.store.database import Database
from service.store.upstreams import standing
from tests.conftest import configured
from tests.flows import claims, driving, processes
from tests.flows.driving import Owner
from tests.limits.endpoint import Endpoint
from tests.limits.queueing import queue, until_states
from tests.upstream import error

PER_MINUTE = 600.0
# How unevenly calls travel from the database's word to the upstream, on a busy machine.
TRAVEL_S = 0.25
ANYWHERE = "http://127.0.0.1:9/v1"


def check_rate(arrived: Sequence[float], per_minute: float) -> None:
    """Check that in no window more calls came than the rate allows."""
    for (first, begin), (last, end) in combinations(enumerate(arrived), 2):
        allowed = 1 + (end - begin + EARLY_S + TRAVEL_S) * per_minute / 60
        assert last - first + 1 <= allowed, f"{last - first + 1} calls in {end - begin:.2f} s"


async def told(
    conn: Conn, upstream: Configured, claim: uploads.Claim, retry_after_s: float | None = None
) -> float | None:
    """Note a 429 to the call of this claim, and give the rate it leaves."""
    call = claim.id, claim.attempt
    await limiting.note(conn, upstream, call, "rate_limited", retry_after_s)
    now = await standing(conn, upstream.name)
    assert now is not None
    return now.slowed_to


@pytest.mark.slow
async def test_two_processes_keep_one_rate(
    pool: Pool, where: Database, owner: Owner, endpoint: Endpoint
) -> None:
    """In every window the calls fit the rate, and the rate is used."""
    rate: dict[str, Any] = {"upstream_requests_per_minute": PER_MINUTE}
    async with (
        processes.work(where, endpoint.url, **rate),
        processes.work(where, endpoint.url, **rate),
    ):
        await queue(pool, 30)
        await until_states(owner, done=30)
    check_rate(endpoint.arrived, PER_MINUTE)
    assert endpoint.arrived[-1] - endpoint.arrived[0] < 2 * 30 * 60 / PER_MINUTE
    assert await owner.fetchval("SELECT max(attempt) FROM uploads") == 1


@pytest.mark.parametrize(
    ("configured_rate", "lowered"), [(None, (600, 300)), (60.0, (30, 15)), (3.0, (1.5, 1))]
)
async def test_429_halves_the_rate_once_for_calls_made_together(
    pool: Pool, configured_rate: float | None, lowered: tuple[float, float]
) -> None:
    """Calls under way together halve once, a later one again; never below one call a minute."""
    upstream = configured(ANYWHERE, requests_per_minute=configured_rate)
    together = [await claims.claimed(pool, width) for width in (1, 2, 3)]
    async with pool.acquire() as conn:
        assert await limiting.permit(conn, upstream) is None
        rates = [await told(conn, upstream, claim) for claim in together]
        assert rates == pytest.approx([lowered[0]] * 3, rel=0.05)
        later = await claims.claimed(pool, 4)
        assert await told(conn, upstream, later) == pytest.approx(lowered[1], rel=0.05)


async def test_lowered_rate_doubles_each_minute(pool: Pool, owner: Owner) -> None:
    """It recovers until nothing is left of it, and the next 429 then counts like the first."""
    upstream = configured(ANYWHERE)
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        await limiting.permit(conn, upstream)
        assert await told(conn, upstream, claim) == pytest.approx(600, rel=0.05)
        for minutes, rate in ((1, 1200), (2, 2400), (6, 38_400), (7, None), (600, None)):
            await slowed_ago(owner, minutes)
            now = await standing(conn, upstream.name)
            assert now is not None
            assert now.slowed_to == (None if rate is None else pytest.approx(rate, rel=0.05))
        for width, minutes in enumerate((6, 600), 1):
            await owner.execute("UPDATE upstreams SET slowed_to = 600")
            await slowed_ago(owner, minutes)
            later = await claims.claimed(pool, width)
            assert await told(conn, upstream, later) == pytest.approx(600, rel=0.05)


async def slowed_ago(owner: Owner, minutes: int) -> None:
    """Let it be so long ago that the rate was lowered."""
    ago = timedelta(minutes=minutes)
    await owner.execute("UPDATE upstreams SET slowed_at = clock_timestamp() - $1::interval", ago)


async def test_recovered_rate_stays_within_the_configured_one(pool: Pool, owner: Owner) -> None:
    """However long ago the 429 was, calls stand as far apart as they are configured."""
    upstream = configured(ANYWHERE, requests_per_minute=6.0)
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        await limiting.permit(conn, upstream)
        await told(conn, upstream, claim)
        await slowed_ago(owner, 60)
        await owner.execute("UPDATE upstreams SET next_at = now()")
        assert await limiting.permit(conn, upstream) is None
        denied = await limiting.permit(conn, upstream)
    assert denied is not None
    assert denied.wait_s == pytest.approx(10 - EARLY_S, abs=1)


async def test_wait_asked_for_holds_for_the_whole_upstream(pool: Pool) -> None:
    """After a 429 with Retry-After nobody calls the upstream sooner, whichever upload it is for."""
    upstream, other = configured(ANYWHERE), configured(ANYWHERE, name="other")
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        await limiting.permit(conn, upstream)
        await told(conn, upstream, claim, retry_after_s=30)
        denied = await limiting.permit(conn, upstream)
        assert await limiting.permit(conn, other) is None
    assert denied is not None
    assert denied.reason == "busy"
    assert denied.wait_s == pytest.approx(30, abs=1)


async def test_lone_429_delays_by_what_it_asks_for(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """With Retry-After 1 the upload, and those behind it, are called a second later, not ten."""
    endpoint.answer = error(429, "slow_down", {"Retry-After": "1"})
    async with driving.worker(pool, where, decoders, configured(endpoint.url)):
        await queue(pool, 1)

        async def refused() -> bool:
            return bool(await owner.fetchval("SELECT count(*) FROM attempts WHERE charged"))

        await driving.until(refused, "the first call was answered with 429")
        endpoint.answer = Endpoint().answer
        await queue(pool, 5, first_width=10)
        await until_states(owner, done=6)
    waited_s = endpoint.arrived[1] - endpoint.arrived[0] - endpoint.takes_s
    assert 1.0 <= waited_s < 2.0
    assert endpoint.arrived[-1] - endpoint.arrived[1] < 2.0
    assert len(endpoint.arrived) == 7
