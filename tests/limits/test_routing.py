"""Where uploads go when several upstreams are configured, and who stands in for whom."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from service.edits import outcomes, routing
from service.pictures.pool import Decoders
from service.store import Conn, Pool
from service.store.database import Database
from tests.conftest import configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.limits.endpoint import Endpoint
from tests.limits.queueing import publish, queue, until_states
from tests.upstream import described, error

REFUSAL = error(400, "content_policy_violation")


@pytest.fixture
async def three() -> AsyncIterator[list[Endpoint]]:
    """Three endpoints, each like the others."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Endpoint().opened()) for _ in range(3)]


async def asked(owner: Owner, upload: UUID) -> list[tuple[str, str]]:
    """Tell which upstreams were asked for the upload, and how each call ended."""
    ledger = await driving.attempts_of(owner, upload)
    return [(row["upstream"], row["outcome"]) for row in ledger]


async def test_uploads_go_by_weight_and_digest(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """Of two upstreams weighted 90 to 10, each upload's one call goes where its picture says."""
    upstreams = [
        configured(three[0].url, name="most", weight=90.0),
        configured(three[1].url, name="few", weight=10.0),
    ]
    async with driving.worker(pool, where, decoders, *upstreams):
        await queue(pool, 40)
        await until_states(owner, done=40)
    ledger = await owner.fetch("SELECT upstream, sent_sha256 FROM attempts")
    went = {row["sent_sha256"]: row["upstream"] for row in ledger}
    assert went == {sha256: routing.order(upstreams, sha256)[0].name for sha256 in went}
    assert (len(ledger), len(went)) == (40, 40)
    few = list(went.values()).count("few")
    assert (len(three[0].arrived), len(three[1].arrived)) == (40 - few, few)
    assert 1 <= few <= 10


async def test_others_stand_in_while_one_is_down(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """They do so in their order, and as soon as the first is back it is the one that is used."""
    names = ("first", "second", "third")
    upstreams = [
        configured(one.url, name=name, weight=float(name == "first"))
        for name, one in zip(names, three, strict=True)
    ]
    width = 0

    async def goes_to() -> str:
        """Send another picture through, and tell who described it."""
        nonlocal width
        width += 1
        (upload,) = await queue(pool, 1, first_width=width)
        await until_states(owner, done=width)
        return (await asked(owner, upload))[-1][0]

    async with driving.worker(pool, where, decoders, *upstreams):
        assert [await goes_to() for _ in range(2)] == ["first"] * 2
        await three[0].refuse()
        assert [await goes_to() for _ in range(2)] == ["second"] * 2
        await three[1].refuse()
        assert await goes_to() == "third"
        await three[1].listen()
        await three[0].listen()

        async def first_is_back() -> bool:
            return await goes_to() == "first"

        await driving.until(first_is_back, "the first is asked again")
        assert [await goes_to() for _ in range(2)] == ["first"] * 2
    failed = await owner.fetch("SELECT DISTINCT outcome, charged FROM attempts WHERE NOT charged")
    assert [tuple(row) for row in failed] == [("unreachable", False)]
    assert await owner.fetchval("SELECT max(charges) FROM uploads") == 1


async def test_lone_upload_leaves_an_upstream_that_fails(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """Nobody else is there to probe, yet no upload spends all its attempts where it is down."""
    upstreams = [
        configured(three[0].url, name="first"),
        configured(three[1].url, name="second", weight=0.0),
    ]
    three[0].answer = error(503, "overloaded")

    async def probe_now(conn: Conn) -> None:
        await conn.execute("UPDATE upstreams SET probe_at = now() WHERE down_since IS NOT NULL")
        await driving.hurry(conn)

    failed, described_there = ("first", "upstream_error"), ("second", "described")
    async with driving.worker(pool, where, decoders, *upstreams):
        (opener,) = await queue(pool, 1)
        await driving.ended(owner, opener, press=probe_now)
        (prober,) = await queue(pool, 1, first_width=2)
        await driving.ended(owner, prober, press=probe_now)
    assert await asked(owner, opener) == [failed] * outcomes.BEARABLE + [described_there]
    assert await asked(owner, prober) == [failed, described_there]


async def test_ruleset_chooses_its_model(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """Only an upstream with that model is asked, whatever its weight and whoever is free."""
    await publish(pool, "chosen", model="better")
    upstreams = [
        configured(three[0].url, name="usual", weight=100.0),
        configured(three[1].url, name="special", weight=0.0, model="better"),
    ]
    async with driving.worker(pool, where, decoders, *upstreams):
        await queue(pool, 10, "chosen")
        await until_states(owner, done=10)
    called = await owner.fetch("SELECT DISTINCT upstream, model FROM attempts")
    assert [tuple(row) for row in called] == [("special", "better")]
    assert (len(three[0].arrived), len(three[1].arrived)) == (0, 10)


async def test_upload_waits_for_a_model_that_nobody_has(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, endpoint: Endpoint
) -> None:
    """Nobody is asked, nothing ends, and it is done once an upstream with the model is there."""
    await publish(pool, "chosen", model="better")
    (upload,) = await queue(pool, 1, "chosen")
    async with driving.worker(pool, where, decoders, configured(endpoint.url)):

        async def asked_again() -> bool:
            await driving.hurry(owner)
            return bool((await driving.row(owner, upload))["attempt"] > 2)

        await driving.until(asked_again, "the upload asked again and again")
    row = await driving.row(owner, upload)
    assert (row["state"], row["waiting_for"], row["charges"]) == ("queued", "upstream", 0)
    assert endpoint.arrived == []
    assert await owner.fetchval("SELECT count(*) FROM callbacks") == 0
    async with driving.worker(pool, where, decoders, configured(endpoint.url, model="better")):
        (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["charges"]) == ("done", 1)


@pytest.mark.parametrize("fallback", [False, True])
async def test_refusal_goes_on_only_where_the_ruleset_says_so(
    pool: Pool,
    where: Database,
    owner: Owner,
    decoders: Decoders,
    three: list[Endpoint],
    fallback: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    """A refusal ends the upload, unless another upstream may be asked, which then describes it."""
    await publish(pool, "strict", fallback=fallback)
    upstreams = [
        configured(three[0].url, name="first"),
        configured(three[1].url, name="second", weight=0.0),
    ]
    three[0].answer = REFUSAL
    async with driving.worker(pool, where, decoders, *upstreams):
        (upload,) = await queue(pool, 1, "strict")
        (row,) = await driving.ended(owner, upload)
    refused, went_on = [("first", "refused")], [("first", "refused"), ("second", "described")]
    assert await asked(owner, upload) == (went_on if fallback else refused)
    assert row["state"] == ("done" if fallback else "failed")
    await driving.message_of(owner, upload)


async def test_who_refused_is_not_asked_again(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """While the stand-in fails, the upload is not taken back to the upstream that refused it."""
    await publish(pool, "strict", fallback=True)
    upstreams = [
        configured(three[0].url, name="first"),
        configured(three[1].url, name="second", weight=0.0),
    ]
    three[0].answer = REFUSAL
    three[1].answer = error(503, "overloaded")
    async with driving.worker(pool, where, decoders, *upstreams):
        (upload,) = await queue(pool, 1, "strict")

        async def failed_twice() -> bool:
            await driving.hurry(owner)
            return len(three[1].arrived) >= 2

        await driving.until(failed_twice, "the stand-in failed twice")
        three[1].answer = described()
        (row,) = await driving.ended(owner, upload)
    assert row["state"] == "done"
    assert [upstream for upstream, _ in await asked(owner, upload)].count("first") == 1


async def test_upload_that_all_refuse_is_refused(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """Each upstream is asked once, in order, and the upload ends held, with one callback."""
    await publish(pool, "strict", fallback=True)
    upstreams = [
        configured(one.url, name=name, weight=float(name == "first"))
        for name, one in zip(("first", "second", "third"), three, strict=True)
    ]
    for one in three:
        one.answer = REFUSAL
    async with driving.worker(pool, where, decoders, *upstreams):
        (upload,) = await queue(pool, 1, "strict")
        (row,) = await driving.ended(owner, upload)
    assert await asked(owner, upload) == [(one.name, "refused") for one in upstreams]
    assert (row["outcome"], row["verdict"]) == ("refused", "hold")
    assert [len(one.arrived) for one in three] == [1, 1, 1]
    await driving.message_of(owner, upload)


async def test_upload_whose_stand_in_was_taken_away_is_refused(
    pool: Pool, where: Database, owner: Owner, decoders: Decoders, three: list[Endpoint]
) -> None:
    """Once only the upstream that refused it is left, the upload ends without another call."""
    await publish(pool, "strict", fallback=True)
    first = configured(three[0].url, name="first")
    three[0].answer, three[1].answer = REFUSAL, error(503, "overloaded")
    stand_in = configured(three[1].url, name="second", weight=0.0)
    (upload,) = await queue(pool, 1, "strict")
    async with driving.worker(pool, where, decoders, first, stand_in):

        async def failed() -> bool:
            await driving.hurry(owner)
            return bool(three[1].arrived)

        await driving.until(failed, "the stand-in failed")
    async with driving.worker(pool, where, decoders, first):
        (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["outcome"], row["verdict"]) == ("failed", "refused", "hold")
    assert len(three[0].arrived) == 1
    await driving.message_of(owner, upload)
