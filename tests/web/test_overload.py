"""More than there is room for: refused before it is read, and nothing that was taken is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from service.store import Conn
from service.web import application
from service.web.admission import Room
from tests import draw
from tests.conftest import Api
from tests.web import crowding, sending
from tests.web.crowding import (
    AT_WORK,
    CHUNKED,
    HEADERS,
    PATIENCE_S,
    POST,
    SIZE,
    Answer,
    arriving,
    begin,
    check_overloaded,
    digest,
    empty,
    finish,
    kept,
    picture,
)
from tests.web.sending import read_answer, send, until


@pytest.fixture
def room() -> Room:
    """Room for three of the pictures and a half."""
    return crowding.small_room()


async def test_what_has_no_room_is_refused_before_its_body_is_sent(
    api: Api, owner: Conn, room: Room
) -> None:
    """Three bodies fit: the head of a fourth is answered 503 at once, and the three are stored."""
    async with AsyncExitStack() as stack:
        streams = [await begin(api, stack, seed, 100) for seed in range(3)]
        await until(arriving(room, 3))

        fourth = await send(api.url, sending.request_bytes(api.platform, POST, HEADERS))
        answers = [await finish(stream, seed, 100) for seed, stream in enumerate(streams)]

    check_overloaded(fourth)
    assert [status for status, _, _ in answers] == [202, 202, 202]
    assert await kept(owner) == {digest(seed) for seed in range(3)}
    await until(empty(room))


async def test_a_body_of_unknown_length_counts_as_it_comes(
    api: Api, owner: Conn, room: Room
) -> None:
    """A chunked body is let in and refused when it has outgrown the room; others stay."""
    chunk = b"%x\r\n" % SIZE + picture(9) + b"\r\n"
    async with AsyncExitStack() as stack:
        streams = [await begin(api, stack, seed, 100) for seed in range(2)]
        await until(arriving(room, 2))

        refused = await send(
            api.url, sending.request_bytes(api.platform, POST, CHUNKED, chunk * 2 + b"0\r\n\r\n")
        )
        answers = [await finish(stream, seed, 100) for seed, stream in enumerate(streams)]

    check_overloaded(refused)
    assert [status for status, _, _ in answers] == [202, 202]
    assert await kept(owner) == {digest(0), digest(1)}


async def test_no_more_than_so_many_wait_for_the_database(
    api: Api, owner: Conn, room: Room
) -> None:
    """While the database holds up those at work, one more is refused; they are all stored."""
    small = [draw.png(8, 8, (seed, 0, 0)) for seed in range(AT_WORK)]
    async with asyncio.TaskGroup() as group, owner.transaction():
        await owner.execute("LOCK TABLE images IN EXCLUSIVE MODE")
        tasks = [group.create_task(api.platform.upload(one)) for one in small]

        async def full() -> bool:
            busy = [share for share in room.shares if share.arrival is None]
            return len(busy) == AT_WORK and await waiting_for_locks(owner) == AT_WORK

        await until(full)
        refused = await api.platform.ask(
            "POST", "/v1/uploads", data=small[0], headers={"Content-Type": "image/png"}
        )
        reading, _, _ = await api.platform.ask("GET", "/healthz")

    check_overloaded(refused)
    assert reading == 200
    assert {task.result()["state"] for task in tasks} == {"queued"}
    assert len(await kept(owner)) == AT_WORK


async def waiting_for_locks(owner: Conn) -> int:
    """Count the statements of this database that wait for a lock."""
    number: int = await owner.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return number


async def test_a_burst_is_taken_or_refused_and_never_half(
    api: Api, owner: Conn, room: Room
) -> None:
    """Of 60 uploads at once each is 202 or 503 with Retry-After; just the 202s are stored."""

    async def post(session: aiohttp.ClientSession, seed: int) -> Answer:
        sent = {"Authorization": f"Bearer {api.platform.token}", "Content-Type": "image/png"}
        url = f"{api.url}/v1/uploads"
        async with session.post(url, data=picture(seed), headers=sent) as response:
            return response.status, await response.json(content_type=None), response.headers

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(post(session, seed) for seed in range(60)))

    taken = {seed for seed, answer in enumerate(answers) if answer[0] == 202}
    assert taken
    for seed in set(range(60)) - taken:
        check_overloaded(answers[seed], str(seed))
    assert await kept(owner) == {digest(seed) for seed in taken}
    await until(empty(room))


async def test_slow_senders_do_not_hold_the_room(api: Api, owner: Conn, room: Room) -> None:
    """Of three slow bodies, one whose room another needs is given up, the first; two go on."""
    async with AsyncExitStack() as stack:
        slow = [await begin(api, stack, 0, SIZE - 1)]
        await until(arriving(room, 1))
        slow += [await begin(api, stack, seed, SIZE - 1) for seed in (1, 2)]
        await until(arriving(room, 3))

        png = {"Content-Type": "image/png"}
        early = await api.platform.ask("POST", "/v1/uploads", data=picture(3), headers=png)
        await until(all_slow(room))
        late, _, _ = await api.platform.ask("POST", "/v1/uploads", data=picture(3), headers=png)

        check_overloaded(await read_answer(slow[0][0]))
        answers = [await finish(slow[seed], seed, SIZE - 1) for seed in (1, 2)]

    check_overloaded(early)
    assert late == 202
    assert [status for status, _, _ in answers] == [202, 202]
    assert await kept(owner) == {digest(1), digest(2), digest(3)}
    await until(empty(room))


def all_slow(room: Room) -> Callable[[], Awaitable[bool]]:
    """Make the condition that every body has been arriving for longer than the patience."""

    async def condition() -> bool:
        now = asyncio.get_running_loop().time()
        return all(share.since < now - PATIENCE_S for share in room.shares)

    return condition


async def test_a_slow_sender_is_left_alone_while_there_is_room(
    api: Api, owner: Conn, room: Room
) -> None:
    """Slower than the patience is no fault by itself, whoever comes and goes meanwhile."""
    async with AsyncExitStack() as stack:
        stream = await begin(api, stack, 0, 100)
        await until(arriving(room, 1))
        loop, others = asyncio.get_running_loop(), 0
        begun = loop.time()
        while loop.time() < begun + PATIENCE_S * 1.5:
            await api.platform.upload(draw.png(8, 8, (others, 0, 0)))
            others = (others + 1) % 256
        status, _, _ = await finish(stream, 0, 100)

    assert status == 202
    assert digest(0) in await kept(owner)


async def test_who_waits_for_the_end_holds_no_room(api: Api, room: Room) -> None:
    """More uploads than may be at work wait for their ends at once, and one more is taken."""
    headers = {"Content-Type": "image/png", "Prefer": "wait=60"}
    waits: list[asyncio.Task[Answer]] = []
    for seeds in (range(AT_WORK), range(AT_WORK, 2 * AT_WORK)):
        for seed in seeds:
            post = api.platform.ask("POST", "/v1/uploads", data=picture(seed), headers=headers)
            waits.append(asyncio.create_task(post))
        await until(all_waiting(api, room, len(waits)))

    await api.platform.upload(picture(99))

    assert not any(wait.done() for wait in waits)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)


def all_waiting(api: Api, room: Room, number: int) -> Callable[[], Awaitable[bool]]:
    """Make the condition that so many requests are under way and hold nothing."""

    async def condition() -> bool:
        return api.readiness.busy == number and not room.shares

    return condition


def test_whatever_takes_a_body_says_that_it_may_be_refused() -> None:
    """Every operation that can be answered so has ``overloaded`` in the description."""
    for path, item in application.api().document()["paths"].items():
        for method, operation in item.items():
            described = operation["responses"].get("503", {}).get("description", "")
            assert ("overloaded" in described) == (method != "get"), (method, path)
