"""Delivery to real receivers: what counts as delivered, and what becomes of all the rest."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from service import subscribing
from service.delivering import SCHEDULE_S, Room
from service.store import Conn, Pool, callbacks, endpoints
from service.subscribing import Change
from tests.callbacks.conftest import TRY_S, Delivering
from tests.callbacks.driving import (
    HOSTS,
    check_signed,
    make_due,
    states,
    subscribe,
    tell,
    tries,
    wait_s,
)
from tests.callbacks.receivers import Handler, hangs, receiving, resets, says

ONE_HANGS = 20


async def test_a_callback_arrives_signed(owner: Conn, pool: Pool, delivering: Delivering) -> None:
    """The stored bytes arrive once, under the callback's id, and the authors' library agrees."""
    async with receiving() as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        callback = await tell(owner)
        (received,) = await receiver.until(1)
        (tried,) = await tries(owner, 1)
        assert await states(owner) == ["delivered"]
    body = await pool.fetchval("SELECT body FROM callbacks WHERE id = $1", callback)
    assert (received.id, received.body) == (str(callback), body)
    assert received.headers["content-type"] == "application/json"
    assert check_signed(told.secret, received)["type"] == "upload.described"
    assert (tried["callback_id"], tried["attempt"], tried["status"]) == (callback, 1, 204)
    assert int(received.headers["webhook-timestamp"]) == int(tried["started_at"].timestamp())
    assert tried["delivered_at"] >= tried["started_at"]
    assert len(receiver.came) == 1


FAILURES: dict[str, tuple[Callable[[asyncio.Event], Handler], int | None, str]] = {
    "500": (lambda _: says(500), 500, "answered HTTP 500"),
    "429": (lambda _: says(429, Retry_After="90"), 429, "answered HTTP 429"),
    "404": (lambda _: says(404), 404, "answered HTTP 404"),
    "302": (lambda _: says(302, Location="/elsewhere"), 302, "answered HTTP 302"),
    "304": (lambda _: says(304), 304, "answered HTTP 304"),
    "reset": (lambda _: resets, None, "broke"),
    "hang": (hangs, None, f"no answer within {TRY_S:g} s"),
}


@pytest.mark.parametrize("kind", FAILURES)
async def test_a_failed_try_is_made_again_with_the_same_bytes(
    kind: str, owner: Conn, delivering: Delivering
) -> None:
    """Whatever is not 2xx is logged and tried later; bytes and id stay, both are signed."""
    make, status, words = FAILURES[kind]
    never = asyncio.Event()
    async with receiving(make(never), says(200)) as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        await tell(owner)
        (failed,) = await tries(owner, 1)
        assert (failed["status"], failed["delivered_at"]) == (status, None)
        assert words in failed["error"]
        assert await states(owner) == ["waiting"]
        planned = 90 if kind == "429" else SCHEDULE_S[0]
        assert 0.8 * planned - 0.1 <= await wait_s(owner) <= 1.2 * planned + 0.1
        await make_due(owner)
        first, second = await receiver.until(2)
        await tries(owner, 2)
        assert await states(owner) == ["delivered"]
    assert (first.id, first.body) == (second.id, second.body)
    for one in (first, second):
        check_signed(told.secret, one)


async def test_the_schedule_ends(owner: Conn, delivering: Delivering) -> None:
    """After its last try a delivery has failed and rests, until somebody redelivers it."""
    async with receiving(says(500)) as receiver, delivering():
        await subscribe(owner, receiver.url)
        callback = await tell(owner)
        for number in range(1, len(SCHEDULE_S) + 2):
            await tries(owner, number)
            await make_due(owner)
        assert await states(owner) == ["failed"]
        receiver.script = [says(200)]
        assert await callbacks.redeliver(owner, None, callback=callback) == 1
        await tries(owner, len(SCHEDULE_S) + 2)
        assert await states(owner) == ["delivered"]
    assert len({(one.id, one.body) for one in receiver.came}) == 1


async def test_gone_disables_the_endpoint(owner: Conn, delivering: Delivering) -> None:
    """After a 410 nothing more is sent and nothing is lost: enabling it sends what waited."""
    async with receiving(says(410), says(200)) as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        await tell(owner)
        await tries(owner, 1)
        found = await endpoints.get(owner, told.endpoint.id, None)
        assert found is not None
        assert "410" in (found.disabled_reason or "")
        await tell(owner)
        await make_due(owner)
        async with receiving() as other:
            await subscribe(owner, other.url)
            await tell(owner)
            await other.until(1)
        assert len(receiver.came) == 1
        await subscribing.change(
            owner, "test", told.endpoint.id, None, Change(disabled=False), HOSTS
        )
        await make_due(owner)
        await receiver.until(4)
    assert len({one.id for one in receiver.came}) == 3


async def test_failing_for_days_disables_the_endpoint(
    owner: Conn, delivering: Delivering, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that has taken nothing for five days is called no more, and an error is logged."""
    async with receiving(says(500)) as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        await owner.execute("UPDATE endpoints SET failing_since = now() - interval '121 hours'")
        await tell(owner)
        await tries(owner, 1)
        found = await endpoints.get(owner, told.endpoint.id, None)
    assert found is not None
    assert found.disabled_reason == "it has taken nothing for 5 days"
    assert "endpoint_disabled" in capsys.readouterr().err


async def test_both_secrets_sign_while_one_replaces_the_other(
    owner: Conn, delivering: Delivering
) -> None:
    """During a rotation either secret verifies; afterwards only the new one signs."""
    async with receiving() as receiver, delivering():
        old = await subscribe(owner, receiver.url)
        change = Change(rotate=True)
        new = await subscribing.change(owner, "test", old.endpoint.id, None, change, HOSTS)
        await tell(owner)
        (both,) = await receiver.until(1)
        await owner.execute("UPDATE endpoints SET old_secret_until = now()")
        await tell(owner)
        _, one = await receiver.until(2)
    for secret in (old.secret, new.secret):
        check_signed(secret, both)
    check_signed(new.secret, one)
    assert [len(each.headers["webhook-signature"].split()) for each in (both, one)] == [2, 1]


async def test_each_endpoint_is_told_its_own_events(owner: Conn, delivering: Delivering) -> None:
    """Two endpoints get one message under one id; a filter and another platform get none."""
    async with (
        receiving() as one,
        receiving() as two,
        receiving() as picky,
        receiving() as stranger,
        delivering(),
    ):
        for receiver in (one, two):
            await subscribe(owner, receiver.url)
        await subscribe(owner, stranger.url, "other")
        await subscribing.add(owner, "test", "default", picky.url, ["upload.failed"], HOSTS)
        described, failed = await tell(owner), await tell(owner, state="failed")
        for receiver in (one, two):
            assert {each.id for each in await receiver.until(2)} == {str(described), str(failed)}
        assert [each.id for each in await picky.until(1)] == [str(failed)]
        await tries(owner, 5)
        assert stranger.came == []


async def test_a_receiver_that_hangs_delays_nobody_else(
    owner: Conn, delivering: Delivering
) -> None:
    """While one holds all it may, another platform's come at once, and it never holds more."""
    release = asyncio.Event()
    async with (
        receiving(hangs(release)) as stuck,
        receiving() as well,
        delivering(Room(overall=8, each=2)),
    ):
        await subscribe(owner, stuck.url, "stuck")
        await subscribe(owner, well.url, "well")
        for _ in range(ONE_HANGS):
            await tell(owner, "stuck")
        await stuck.until(2)
        for number in range(1, 6):
            await tell(owner, "well")
            async with asyncio.timeout(TRY_S):
                await well.until(number)
        assert stuck.most_under_way == 2
        release.set()


async def test_a_removed_endpoint_is_not_called(owner: Conn, delivering: Delivering) -> None:
    """What it was still to be told goes with it; the log of its tries stays."""
    async with receiving(says(500)) as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        await tell(owner)
        await tries(owner, 1)
        await subscribing.remove(owner, "test", told.endpoint.id, "default")
        assert await states(owner) == []
        assert len(await tries(owner, 1)) == 1
        await tell(owner)
        assert await states(owner) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:1/", "port 1 is not called"),
        ("http://localhost/", "is not a public address"),
        ("http://127.0.0.1/", "is not a public address"),
        ("http://[::1]/", "is not a public address"),
        ("http://2130706433/", "is not a public address"),
    ],
)
async def test_private_addresses_are_not_called(
    url: str, words: str, owner: Conn, delivering: Delivering
) -> None:
    """However it came into the table, an address on a private network is not connected to."""
    async with delivering(hosts=()):
        told = await subscribe(owner, "https://example.org/")
        await owner.execute("UPDATE endpoints SET url = $2 WHERE id = $1", told.endpoint.id, url)
        await tell(owner)
        (tried,) = await tries(owner, 1)
    assert words in tried["error"]


async def test_the_log_cannot_be_rewritten(owner: Conn, pool: Pool, delivering: Delivering) -> None:
    """The application may complete a try once, and may neither change nor remove it afterwards."""
    async with receiving() as receiver, delivering():
        await subscribe(owner, receiver.url)
        await tell(owner)
        await tries(owner, 1)
    for statement, state in (
        ("UPDATE deliveries SET status = 500", "23001"),
        ("UPDATE deliveries SET url = ''", "42501"),
        ("DELETE FROM deliveries", "42501"),
        ("TRUNCATE deliveries", "42501"),
        ("DELETE FROM delivery_jobs", "42501"),
        ("UPDATE delivery_jobs SET callback_id = callback_id", "42501"),
        ("UPDATE endpoints SET platform = 'other'", "42501"),
    ):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await pool.execute(statement)
        assert caught.value.sqlstate == state, statement


async def test_an_undone_upload_queues_nothing(owner: Conn, delivering: Delivering) -> None:
    """The queue is written in the transaction of the callback: undone with it, never without it."""
    async with receiving() as receiver, delivering():
        await subscribe(owner, receiver.url)
        transaction = owner.transaction()
        await transaction.start()
        await tell(owner)
        assert await states(owner) == ["waiting"]
        await transaction.rollback()
        assert await states(owner) == []
        kept = await tell(owner)
        assert [one.id for one in await receiver.until(1)] == [str(kept)]
