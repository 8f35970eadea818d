"""The breaker: what opens it, what it lets through while it is open, and what closes it."""

import asyncio
import time

import pytest

from service import completing, limiting
from service.edits import outcomes
from service.limiting import PROBES
from service.pictures.pool import Decoders
from service.store import Pool, uploads
from service.store.database import Database
from tests.conftest import configured
from tests.flows import claims, driving
from tests.flows.driving import Owner
from tests.limits.endpoint import Endpoint
from tests.limits.queueing import publish, queue, until_states
from tests.upstream import Answer, cut, error, hanging, text

ANYWHERE = configured("http://127.0.0.1:9/v1")
DOWN = error(401, "invalid_api_key")
REFUSAL = error(400, "content_policy_violation")


async def note(pool: Pool, claim: uploads.Claim, outcome: str) -> str | None:
    """Note how a call ended; tell why the upstream is down, if it is."""
    async with pool.acquire() as conn:
        await limiting.note(conn, ANYWHERE, (claim.id, claim.attempt), outcome, None)
    reason: str | None = await pool.fetchval("SELECT down_reason FROM upstreams")
    return reason


async def test_outcomes_that_open_it(pool: Pool, owner: Owner) -> None:
    """One ``down`` opens it, five ``failing`` in a row do, no other does however often it comes."""
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        await limiting.permit(conn, ANYWHERE)
    for outcome, rule in outcomes.TABLE.items():
        opens_after = {"down": 1, "failing": outcomes.BEARABLE}.get(rule.tells, 99)
        for number in range(1, outcomes.BEARABLE + 2):
            assert await note(pool, claim, outcome) == (outcome if number >= opens_after else None)
        await driving.forgive(owner)


async def test_outcomes_that_close_it(pool: Pool, owner: Owner) -> None:
    """Any answer closes it and begins the count anew, a refusal and a 429 too; no failure does."""
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        await limiting.permit(conn, ANYWHERE)
    for outcome, rule in outcomes.TABLE.items():
        closes = rule.tells in ("well", "slow")
        await note(pool, claim, "unreachable")
        assert (await note(pool, claim, outcome) is None) == closes
        if closes:
            for _ in range(outcomes.BEARABLE - 1):
                assert await note(pool, claim, "timeout") is None
            await note(pool, claim, outcome)
            assert await note(pool, claim, "timeout") is None
        await driving.forgive(owner)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(503, "overloaded"), "upstream_error"),
        (cut(), "cut_off"),
        (text("<html>Hello</html>"), "malformed_answer"),
        (hanging(asyncio.Event()), "timeout"),
    ],
    ids=["upstream_error", "cut_off", "malformed_answer", "timeout"],
)
async def test_failures_of_different_uploads_open_it(
    pool: Pool,
    where: Database,
    owner: Owner,
    decoders: Decoders,
    endpoint: Endpoint,
    answer: Answer,
    reason: str,
) -> None:
    """Four uploads that fail leave it closed, a fifth opens it."""
    endpoint.answer = answer
    upstream = configured(endpoint.url, timeout_s=0.5)

    async def failed(count: int) -> str | None:
        async def all_failed() -> bool:
            sql = "SELECT count(DISTINCT upload_id) FROM attempts WHERE outcome = $1"
            return bool(await owner.fetchval(sql, reason) == count)

        await driving.until(all_failed, f"{count} uploads met {reason}")
        found: str | None = await owner.fetchval("SELECT down_reason FROM upstreams")
        return found

    async with driving.worker(pool, where, decoders, upstream):
        await queue(pool, outcomes.BEARABLE - 1)
        assert await failed(outcomes.BEARABLE - 1) is None
        await queue(pool, 1, first_width=50)
        assert await failed(outcomes.BEARABLE) == reason


async def test_few_probes_hang(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """An upstream that takes calls and says nothing gathers no more than ``PROBES`` of them."""
    endpoint.answer = DOWN
    until = asyncio.Event()
    async with driving.worker(
        pool, where, decoders, configured(endpoint.url, timeout_s=60), concurrency=16
    ):
        await queue(pool, 12)
        await until_states(owner, queued=12)
        before = len(endpoint.arrived)
        endpoint.answer = hanging(until)

        async def probe() -> None:
            await owner.execute("UPDATE upstreams SET probe_at = now()")
            await driving.hurry(owner)

        async def all_probes_hang() -> bool:
            await probe()
            return endpoint.under_way == PROBES

        async def others_were_denied() -> bool:
            await probe()
            least = await owner.fetchval("SELECT min(attempt) FROM uploads WHERE state = 'queued'")
            return bool(least is not None and least >= denied_from)

        await driving.until(all_probes_hang, "all probes hang")
        denied_from = 2 + await owner.fetchval("SELECT max(attempt) FROM uploads")
        await driving.until(others_were_denied, "the others asked again and again")
        assert len(endpoint.arrived) - before == PROBES
        until.set()
        await until_states(owner, done=12)


async def test_an_answer_wakes_all_who_wait(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """One refusal shows that the upstream is back, and nobody waits out the time he was given."""
    endpoint.answer = DOWN
    async with driving.worker(pool, where, decoders, configured(endpoint.url), concurrency=16):
        await queue(pool, 40)
        await until_states(owner, queued=40)
        await owner.execute(
            """
            UPDATE uploads SET due_at = now() + interval '1 hour'
             WHERE state = 'queued' AND id <> (SELECT min(id::text)::uuid FROM uploads)
            """
        )
        endpoint.answer = REFUSAL
        await until_states(owner, failed=40)
    refused = "SELECT max(started_at) - min(started_at) FROM attempts WHERE outcome = 'refused'"
    assert (await owner.fetchval(refused)).total_seconds() < 3


async def test_an_answer_between_denial_and_waiting_is_not_missed(pool: Pool, owner: Owner) -> None:
    """Who begins to wait for an upstream that is back by then is due at once."""
    first, late = [await claims.claimed(pool, width) for width in (1, 2)]
    async with pool.acquire() as conn:
        await limiting.permit(conn, ANYWHERE)
        await note(pool, first, "unreachable")
        denied = await limiting.permit(conn, ANYWHERE)
        assert denied is not None
        await note(pool, first, "refused")
        await completing.release(
            conn, late, None, charged=False, delay_s=60, waiting_for="upstream"
        )
        await limiting.look_again(conn, denied)
    assert await owner.fetchval("SELECT due_at <= now() FROM uploads WHERE id = $1", late.id)


async def test_healthy_upstream_is_not_delayed_by_one_that_is_down(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """Hundreds of uploads wait for an upstream; those of another ruleset are done at once."""
    await publish(pool, "waiting", model="down")
    await publish(pool, "flowing", model="healthy")
    async with Endpoint(answer=DOWN).opened() as down:
        upstreams = [
            configured(down.url, name="down", model="down"),
            configured(endpoint.url, name="healthy", model="healthy"),
        ]
        async with driving.worker(pool, where, decoders, *upstreams):
            await queue(pool, 300, "waiting")

            async def all_wait() -> bool:
                return not await owner.fetchval("SELECT count(*) FROM uploads WHERE attempt = 0")

            await driving.until(all_wait, "every upload has asked")
            began = time.monotonic()
            await queue(pool, 10, "flowing", first_width=400)
            await until_states(owner, done=10)
            assert time.monotonic() - began < 3.0
            assert len(down.arrived) <= 12 + time.monotonic() - down.arrived[0]
