"""An upload can be deleted in any state, and whoever has it just then writes nothing any more."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from service import applying, completing, erasing, landing
from service.errors import InputRefused, LeaseLost
from service.store import Conn, Pool, fetches, uploads
from service.store.database import Database
from service.store.uploads import Claim
from tests import erasing as lost
from tests import fetches as fetching
from tests import reuse
from tests.conftest import PRICE, Api
from tests.erasing import MARK, check_whole, finish, places_of
from tests.flows import claims, driving, processes
from tests.reviews.people import PUBLIC_URL, People, make_due
from tests.upstream import Upstream, hanging

DELETE = "test"


async def queued(pool: Pool) -> UUID:
    return await driving.queued(pool)


async def waiting_for_budget(pool: Pool) -> UUID:
    await driving.queued(pool)
    return await lost.release(pool, "budget")


async def waiting_for_upstream(pool: Pool) -> UUID:
    await driving.queued(pool)
    return await lost.release(pool, "upstream")


async def following(pool: Pool) -> UUID:
    await driving.queued(pool)
    return await driving.queued(pool)


async def to_be_fetched(pool: Pool) -> UUID:
    return await fetching.told(pool, f"http://127.0.0.1/{MARK}.png")


async def worked_on(pool: Pool) -> UUID:
    await driving.queued(pool)
    async with pool.acquire() as conn:
        await lost.quote(conn, await lost.claim_one(conn))
        return (await lost.claim_one(conn)).id


async def done(pool: Pool) -> UUID:
    await driving.queued(pool)
    return await finish(pool)


async def copied(pool: Pool) -> UUID:
    await driving.queued(pool)
    await finish(pool)
    return await driving.queued(pool)


async def failed(pool: Pool) -> UUID:
    await driving.queued(pool)
    async with pool.acquire() as conn:
        await lost.quote(conn, await lost.claim_one(conn))
        claim = await lost.claim_one(conn)
        await completing.fail(
            conn,
            claim,
            "refused",
            claims.completion("refused"),
            claims.URL,
            lost.described(claim).proof,
        )
    return claim.id


async def erase(pool: Pool, *several: UUID) -> None:
    """Delete them, all at once."""

    async def one(upload: UUID) -> None:
        async with pool.acquire() as conn:
            await erasing.erase(conn, upload, None, DELETE)

    await asyncio.gather(*(one(upload) for upload in several))


@pytest.mark.parametrize(
    "made",
    [
        queued,
        waiting_for_budget,
        waiting_for_upstream,
        following,
        to_be_fetched,
        worked_on,
        done,
        copied,
        failed,
    ],
)
async def test_in_any_state_it_goes_whole(
    pool: Pool, owner: Conn, made: Callable[[Pool], Awaitable[UUID]]
) -> None:
    """The invariants hold, nobody works on it, and with the rest deleted too nothing is left."""
    upload = await made(pool)
    was = await driving.row(owner, upload)
    spent = await lost.books(owner)

    await erase(pool, upload)

    row = await driving.row(owner, upload)
    assert (row["state"], row["waiting_for"], row["image_sha256"]) == ("deleted", None, None)
    assert (row["outcome"], row["verdict"]) == (was["outcome"], was["verdict"])
    assert await lost.books(owner) == spent
    await check_whole(owner)
    async with pool.acquire() as conn:
        assert [one.id for one in await uploads.claim(conn, 9, claims.MINUTE)] != [upload]
    await erase(pool, *[row["id"] for row in await owner.fetch("SELECT id FROM uploads")])
    assert await places_of(owner, MARK.encode()) == set()
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
    await check_whole(owner)


WRITES: dict[str, Callable[[Conn, Claim], Awaitable[None]]] = {
    "its end": lambda conn, claim: completing.succeed(
        conn, claim, lost.described(claim), claims.URL
    ),
    "its failure": lambda conn, claim: completing.fail(
        conn, claim, "refused", claims.completion("refused"), claims.URL
    ),
    "another try": lost.quote,
}


@pytest.mark.parametrize("name", WRITES)
async def test_the_worker_that_has_it_writes_nothing(pool: Pool, owner: Conn, name: str) -> None:
    """Its fence is gone; the call that was under way is lost, and its price spent."""
    await driving.queued(pool)
    async with pool.acquire() as conn:
        claim = await lost.claim_one(conn)
        await erasing.erase(conn, claim.id, None, DELETE)
        with pytest.raises(LeaseLost):
            await WRITES[name](conn, claim)

    (attempt,) = await driving.attempts_of(owner, claim.id)
    assert (attempt["outcome"], attempt["charged"]) == ("lost", True)
    assert attempt["cost_microusd"] == claims.PRICE
    assert await places_of(owner, MARK.encode()) == set()
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
    await check_whole(owner)


async def test_deleted_in_the_middle_of_a_call(
    pool: Pool, where: Database, owner: Conn, upstream: Upstream
) -> None:
    """A real worker, whose call is answered later, goes on with others."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    async with processes.work(where, upstream.url):
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        await erase(pool, upload)
        until.set()
        other = await driving.queued(pool)
        await reuse.settled(pool, other)

    (attempt,) = await driving.attempts_of(owner, upload)
    assert (attempt["outcome"], attempt["cost_microusd"]) == ("lost", PRICE)
    assert (await driving.row(owner, upload))["state"] == "deleted"
    assert (await driving.row(owner, other))["state"] == "done"
    await check_whole(owner)


async def test_an_image_that_comes_too_late_is_not_kept(pool: Pool, owner: Conn) -> None:
    """Who fetches it has lost it, and stores nothing."""
    upload = await to_be_fetched(pool)
    async with pool.acquire() as conn:
        (claim,) = await fetches.claim(conn, 1, {}, 1, claims.MINUTE)
        await erasing.erase(conn, upload, None, DELETE)
        with pytest.raises(LeaseLost):
            await landing.land(conn, claim, claims.image(b"late"), PUBLIC_URL)
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
    await check_whole(owner)


async def test_whoever_waits_for_the_deleted_one_is_worked_on(pool: Pool, owner: Conn) -> None:
    """Of those who follow the oldest leads, and the picture of all of them stays."""
    first, second, third = await reuse.several(pool, 3)
    await erase(pool, first)
    await reuse.settle(pool)

    assert (await driving.row(owner, second))["leads"]
    assert (await driving.row(owner, third))["waiting_for"] == "reuse"
    assert await finish(pool) == second
    await check_whole(owner)


async def test_a_copy_stays_whole_until_it_is_deleted_itself(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """Proof and map of change are the copies' too; with the last copy they go, in any order."""
    copy, other = await copied(pool), await driving.queued(pool)
    first = (await driving.row(owner, copy))["reused_from"]
    await erase(pool, first)

    _, body, _ = await api.platform.ask("GET", f"/v1/uploads/{copy}")
    assert (body["state"], body["proof"]["text_to_model"]) == ("done", [f"obey the {MARK}"])
    for name, address in body["images"].items():
        assert (await api.platform.ask("GET", address))[0] == 200, name
    _, body, _ = await api.platform.ask("GET", f"/v1/uploads/{first}")
    assert (body["state"], body["proof"], body["images"]["heat"]) == ("deleted", None, None)
    await check_whole(owner)

    await erase(pool, copy, other)
    assert await places_of(owner, MARK.encode()) == set()
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
    await check_whole(owner)


@pytest.fixture
def people(api: Api, pool: Pool) -> People:
    """Who makes moderators."""
    return People(api, pool)


async def test_who_works_on_it_finds_it_gone(people: People, pool: Pool, owner: Conn) -> None:
    """The lease goes with it, and whatever a person does then is answered 404."""
    upload = await failed(pool)
    ann = await people.moderator("ann")
    assert (await ann.next())["case"]["id"] == str(upload)
    await erase(pool, upload)

    assert await owner.fetchval("SELECT count(*) FROM leases") == 0
    for answer in (
        await ann.decide(upload, "block"),
        await ann.post(f"{upload}/reveal", reason="to see"),
        await ann.post(f"{upload}/skip", reason=""),
        await ann.post(f"{upload}/lease"),
        await ann.undo(upload),
    ):
        assert answer[0] == 404, answer
    assert await ann.next() is None


async def test_a_decision_that_could_be_undone_takes_no_effect(
    people: People, pool: Pool, owner: Conn
) -> None:
    """It is undone with the upload; what is due just then is told to nobody."""
    ann, told = await people.moderator("ann"), "SELECT count(*) FROM callbacks WHERE type = $1"
    for due in (False, True):
        upload = await failed(pool)
        assert (await ann.decide(upload, "block"))[0] == 201
        if due:
            await make_due(owner)
        await erase(pool, upload)
        async with pool.acquire() as conn:
            await applying.apply_due(conn, PUBLIC_URL)
        undone = await owner.fetchval(
            "SELECT undone_at IS NOT NULL FROM decisions WHERE upload_id = $1", upload
        )
        assert undone is not due
        assert (await driving.row(owner, upload))["verdict"] == "hold"
    assert await owner.fetchval(told, "upload.decided") == 0
    await check_whole(owner)


async def test_only_its_platform_and_administrators_delete_it(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """Another platform's is not found, and a moderator may not."""
    upload = await driving.queued(pool, platform="other")
    assert (await api.platform.ask("DELETE", f"/v1/uploads/{upload}"))[0] == 404
    assert (await api.moderator.ask("DELETE", f"/v1/uploads/{upload}"))[0] == 403
    with pytest.raises(InputRefused, match="there is no upload"):
        async with pool.acquire() as conn:
            await erasing.erase(conn, upload, "default", DELETE)
    assert (await driving.row(owner, upload))["state"] == "queued"
    assert (await api.admin.ask("DELETE", f"/v1/uploads/{upload}"))[0] == 204


async def test_whoever_waits_for_its_end_is_answered(api: Api, pool: Pool) -> None:
    """A request that waits for the end gets the tombstone at once."""
    accepted = await api.platform.upload(driving.TEAL)
    waiting = asyncio.create_task(
        api.platform.ask("GET", f"/v1/uploads/{accepted['id']}/gate", headers={"Prefer": "wait=30"})
    )
    await asyncio.sleep(0)
    await erase(pool, UUID(accepted["id"]))
    async with asyncio.timeout(timedelta(seconds=10).total_seconds()):
        status, gate, _ = await waiting
    assert (status, gate["state"], gate["gate"]) == (200, "deleted", "hold")
