"""Room that is held: given back however the upload ends, and shown to operators."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.store import Conn
from service.web.admission import Room
from tests.conftest import Api
from tests.web import crowding, sending
from tests.web.crowding import (
    CHUNKED,
    HEADERS,
    POST,
    SIZE,
    arriving,
    begin,
    check_overloaded,
    digest,
    empty,
    finish,
    kept,
    picture,
)
from tests.web.sending import connected, read_answer, send, until


@pytest.fixture
def room() -> Room:
    """Room for three of the pictures and a half."""
    return crowding.small_room()


def request(api: Api, headers: bytes = HEADERS, body: bytes = b"", token: bytes = b"") -> bytes:
    """One upload as bytes on the wire."""
    return sending.request_bytes(api.platform, POST, headers, body, token)


def of_length(length: int, more: bytes = b"") -> bytes:
    """The headers of a body of so many bytes."""
    return b"Content-Type: image/png\r\nContent-Length: %d\r\n" % length + more


# How an upload can end: what is sent, and the status; None where the sender hangs up first.
ENDS: dict[str, tuple[Callable[[Api], bytes], int | None]] = {
    "taken": (lambda api: request(api, body=picture(0)), 202),
    "cut in the body": (lambda api: request(api, body=picture(0)[:100]), None),
    "cut before the body": (request, None),
    "cut in a chunk": (lambda api: request(api, CHUNKED, b"%x\r\nabc" % SIZE), None),
    "no token": (lambda api: request(api, token=b"wrong", body=picture(0)), 401),
    "too long": (lambda api: request(api, of_length(2**40)), 413),
    "encoded": (lambda api: request(api, of_length(SIZE, b"Content-Encoding: br\r\n")), 415),
    "no image": (lambda api: request(api, body=bytes(SIZE)), 415),
    "empty": (lambda api: request(api, of_length(0)), 422),
    "key invalid": (lambda api: request(api, of_length(SIZE, b"Idempotency-Key: \xff\r\n")), 422),
    "no such page": (
        lambda api: sending.request_bytes(api.platform, b"POST /v1/nothing", of_length(SIZE)),
        404,
    ),
    "more than fits": (lambda api: request(api, of_length(SIZE * 4)), 503),
}


@pytest.mark.parametrize("end", ENDS)
async def test_room_is_given_back_however_it_ends(
    api: Api, owner: Conn, room: Room, end: str
) -> None:
    """After ten such ends nothing is held, and as much fits as before."""
    make, status = ENDS[end]
    for _ in range(10):
        async with connected(api.url) as (reader, writer):
            writer.write(make(api))
            if status is None:
                await until(arriving(room, 1))
            else:
                got, _, _ = await read_answer(reader)
                assert got == status
    await until(empty(room))

    async with AsyncExitStack() as stack:
        streams = [await begin(api, stack, seed, 100) for seed in range(3)]
        await until(arriving(room, 3))
        answers = [await finish(stream, seed, 100) for seed, stream in enumerate(streams)]
    assert [got for got, _, _ in answers] == [202, 202, 202]
    assert await kept(owner) == {digest(seed) for seed in range(3)}


async def test_operators_see_what_is_held_and_refused(api: Api, room: Room) -> None:
    """/metrics has the bytes of bodies held now and the number of refusals so far."""
    async with AsyncExitStack() as stack:
        stream = await begin(api, stack, 0, 100)
        await until(arriving(room, 1))
        check_overloaded(await send(api.url, request(api, of_length(SIZE * 3))))
        seen = await metrics(api)
        await finish(stream, 0, 100)
    await until(empty(room))

    assert seen["moderation_http_body_bytes"] == SIZE
    assert seen["moderation_http_overloaded_total"] == 1
    assert (await metrics(api))["moderation_http_body_bytes"] == 0


async def metrics(api: Api) -> dict[str, float]:
    """Read the metrics that have no labels."""
    _, text, _ = await api.admin.ask("GET", "/metrics")
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.labels
    }


def test_a_share_that_left_holds_nothing() -> None:
    """Leaving twice is leaving once: what others hold stays counted."""
    room = Room(size=10)
    with room.share(4) as one, room.share(6) as other:
        one.leave()
        one.leave()
        assert (room.held, room.shares) == (6, {other})
        other.hold(10)
        assert room.held == 10
    assert room.held == 0
