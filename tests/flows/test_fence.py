"""The attempt number is the fence: who lost the lease writes nothing."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from service import completing
from service.errors import LeaseLost
from service.pictures.pool import Decoders
from service.store import Conn, Pool, images, uploads
from service.store.database import Database
from tests import draw
from tests.conftest import PRICE, configured
from tests.flows import claims, driving
from tests.flows.driving import Owner
from tests.upstream import Upstream, hanging

Write = Callable[[Conn, uploads.Claim], Awaitable[None]]


async def _fail(conn: Conn, claim: uploads.Claim) -> None:
    await completing.fail(conn, claim, "refused", claims.completion("refused"), claims.URL)


async def _fail_without_a_call(conn: Conn, claim: uploads.Claim) -> None:
    await completing.fail(conn, claim, "unreadable", None, claims.URL)


async def _release(conn: Conn, claim: uploads.Claim) -> None:
    completion = claims.completion("rate_limited", cost=0)
    await completing.release(conn, claim, completion, charged=True, delay_s=0)


async def _release_uncharged(conn: Conn, claim: uploads.Claim) -> None:
    await completing.release(conn, claim, None, charged=False, delay_s=0)


WRITES: dict[str, Write] = {
    "succeed": claims.succeed,
    "fail": _fail,
    "fail without a call": _fail_without_a_call,
    "release": _release,
    "release uncharged": _release_uncharged,
}


async def taken_over(pool: Pool, owner: Owner, old: uploads.Claim) -> uploads.Claim:
    """Let the lease of a claim run out, and claim the upload for another worker."""
    await owner.execute("UPDATE uploads SET due_at = now() WHERE id = $1", old.id)
    async with pool.acquire() as conn:
        (new,) = await uploads.claim(conn, 1, claims.MINUTE)
        await claims.entered(conn, new)
    assert (new.id, new.attempt) == (old.id, old.attempt + 1)
    return new


async def test_lost_lease_writes_nothing(
    pool: Pool, owner: Owner, subtests: pytest.Subtests
) -> None:
    """While another attempt holds the upload, or has ended it, the old one changes nothing."""
    for width, (name, ended) in enumerate(itertools.product(WRITES, (False, True)), 8):
        with subtests.test(name, ended=ended):
            old = await claims.claimed(pool, width)
            await check_fenced(name, old, pool, owner, ended=ended)


async def check_fenced(
    name: str, old: uploads.Claim, pool: Pool, owner: Owner, *, ended: bool
) -> None:
    """Let another take the upload over, and perhaps end it; then write with the old claim."""
    new = await taken_over(pool, owner, old)
    async with pool.acquire() as conn:
        if ended:
            await claims.succeed(conn, new)
        before = await claims.snapshot(owner, old.id)
        with pytest.raises(LeaseLost):
            await WRITES[name](conn, old)
        assert await claims.snapshot(owner, old.id) == before
        late = claims.image(f"late {old.id} {old.attempt}".encode())
        assert not await images.keep_canonical(conn, old.id, old.attempt, late)
        assert await claims.snapshot(owner, old.id) == before
        assert await uploads.renew(conn, {old.id: old.attempt}, claims.MINUTE) == set()
        assert not await uploads.ended_by(conn, old.id, old.attempt)
        if not ended:
            await claims.succeed(conn, new)
    await claims.check_written(owner, old.id)


async def test_ended_attempt_writes_no_second_time(
    pool: Pool, owner: Owner, subtests: pytest.Subtests
) -> None:
    """Also the attempt that ended the upload itself cannot write again."""
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
        before = await claims.snapshot(owner, claim.id)
        for name, write in WRITES.items():
            with subtests.test(name):
                with pytest.raises(LeaseLost):
                    await write(conn, claim)
                assert await claims.snapshot(owner, claim.id) == before
        assert await uploads.ended_by(conn, claim.id, claim.attempt)


async def test_lost_attempt_is_closed_at_its_reserved_cost(pool: Pool, owner: Owner) -> None:
    """Who takes over enters the earlier attempt as lost, charged, and paid as reserved."""
    old = await claims.claimed(pool)
    new = await taken_over(pool, owner, old)
    ledger = await driving.attempts_of(owner, old.id)
    assert [(one["outcome"], one["charged"], one["cost_microusd"]) for one in ledger] == [
        ("lost", True, claims.PRICE),
        (None, None, None),
    ]
    assert (await driving.row(owner, new.id))["charges"] == 2


async def test_one_upload_goes_to_one_worker(pool: Pool) -> None:
    """Many workers that claim at once share no upload and leave none."""
    for width in range(1, 61):
        await driving.queued(pool, draw.png(width, 8, "red"))

    async def claim_all() -> list[uploads.Claim]:
        mine: list[uploads.Claim] = []
        async with pool.acquire() as conn:
            while claimed := await uploads.claim(conn, 3, claims.MINUTE):
                mine += claimed
        return mine

    shares = await asyncio.gather(*(claim_all() for _ in range(6)))
    ids = [claim.id for share in shares for claim in share]
    assert len(ids) == len(set(ids)) == 60
    assert {claim.attempt for share in shares for claim in share} == {1}
    assert sum(bool(share) for share in shares) > 1


async def test_claim_takes_what_is_due_longest(pool: Pool, owner: Owner) -> None:
    """Order is by due time; what is not due, held or ended is not given out."""
    ids = [await driving.queued(pool, draw.png(width, 8, "red")) for width in (1, 2, 3)]
    await owner.execute("UPDATE uploads SET due_at = now() + interval '1 h' WHERE id = $1", ids[0])
    await owner.execute("UPDATE uploads SET due_at = now() - interval '1 h' WHERE id = $1", ids[2])
    async with pool.acquire() as conn:
        assert [one.id for one in await uploads.claim(conn, 9, claims.MINUTE)] == [ids[2], ids[1]]
        assert await uploads.claim(conn, 9, claims.MINUTE) == []


async def test_renewing_keeps_what_is_held(pool: Pool, owner: Owner) -> None:
    """A renewed lease runs from now; others' and ended uploads are neither extended nor told."""
    held, ended = await claims.claimed(pool, 8), await claims.claimed(pool, 9)
    async with pool.acquire() as conn:
        await claims.succeed(conn, ended)
        asked = {held.id: held.attempt, ended.id: ended.attempt}
        assert await uploads.renew(conn, asked, timedelta(hours=1)) == {held.id}
    left = await owner.fetchval("SELECT due_at - now() FROM uploads WHERE id = $1", held.id)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


async def test_heartbeat_outlives_many_leases(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """A call that takes longer than the lease is kept: one attempt, though another worker polls."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    lease = timedelta(seconds=0.6)
    settings = configured(upstream.url)
    async with (
        driving.worker(pool, where, decoders, settings, lease=lease),
        driving.worker(pool, where, decoders, settings, lease=lease),
    ):
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        begun = (await driving.row(owner, upload))["due_at"]

        async def renewed() -> bool:
            return bool((await driving.row(owner, upload))["due_at"] - begun > 3 * lease)

        await driving.until(renewed, "the lease was extended for three times its length")
        until.set()
        (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["attempt"]) == ("done", 1)
    assert len(upstream.calls) == 1


async def test_worker_that_lost_its_lease_stops_its_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """It hangs up, writes nothing, and the one who takes over finishes the upload."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    upload = await driving.queued(pool)
    lease = timedelta(seconds=0.6)
    async with driving.worker(pool, where, decoders, configured(upstream.url), lease=lease):
        await upstream.arrived.wait()
        # Another worker's claim, seen from here.
        await owner.execute(
            "UPDATE uploads SET attempt = attempt + 1, charges = charges + 1, "
            "due_at = now() + interval '1 s' WHERE id = $1",
            upload,
        )
        (row,) = await driving.ended(owner, upload)
        until.set()
    assert (row["state"], row["attempt"], row["charges"]) == ("done", 3, 3)
    ledger = await driving.attempts_of(owner, upload)
    assert [(one["attempt"], one["outcome"], one["cost_microusd"]) for one in ledger] == [
        (1, "lost", PRICE),
        (3, "described", PRICE),
    ]
    await driving.message_of(owner, upload)
