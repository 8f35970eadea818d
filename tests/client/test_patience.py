"""What the client bears with, for how long, and what it gives up at once."""

import asyncio
import socket
import time

import pytest

from service.client import Client, ClientError, NoAnswer, ProblemError
from service.store import Conn
from tests import draw
from tests.client import relay
from tests.client.relay import Fault, passes, problem, says, through
from tests.conftest import Api

IMAGE = draw.png(64, 48, "teal")
NOW = "0"

PASSING: dict[str, list[Fault]] = {
    "overloaded": [problem(503, "overloaded", Retry_After=NOW)],
    "too many": [problem(429, "quota_exceeded", Retry_After=NOW)],
    "a proxy's page": [says(502), says(504, "<html>")],
    "a proxy's JSON": [says(503, {"message": "no upstream"})],
    "reset before": [relay.resets],
    "the answer was lost": [relay.loses_the_answer],
    "lost, and the first goes on": [
        relay.loses_the_answer,
        problem(409, "idempotency_in_progress"),
    ],
}


@pytest.mark.parametrize("kind", PASSING)
async def test_what_passes_is_borne_and_makes_one_upload(kind: str, api: Api, owner: Conn) -> None:
    """The request is sent again, the same bytes under the same key, and is one upload."""
    faults = PASSING[kind]
    async with through(api, *faults) as (between, client):
        sent = await client.submit(IMAGE, external_id="1")
    first, *again = between.seen
    assert [(one.path, one.body) for one in again] == [(first.path, first.body)] * len(faults)
    assert {one.headers["idempotency-key"] for one in between.seen} == {
        first.headers["idempotency-key"]
    }
    assert first.body == IMAGE
    assert [row["id"] for row in await owner.fetch("SELECT id FROM uploads")] == [sent.id]


async def test_retry_after_is_waited_for(api: Api) -> None:
    """A service that asks for two seconds is left alone for two seconds."""
    fault = problem(503, "overloaded", Retry_After="2")
    async with through(api, fault) as (between, client):
        began = time.monotonic()
        await client.submit(IMAGE)
    assert time.monotonic() - began >= 2
    assert len(between.seen) == 2


GIVEN_UP: dict[str, tuple[Fault, type[ClientError], str]] = {
    "a daily quota": (
        problem(429, "quota_exceeded", Retry_After="86400"),
        ProblemError,
        "HTTP 429 quota_exceeded: the detail of",
    ),
    "another key": (problem(422, "idempotency_mismatch"), ProblemError, "idempotency_mismatch"),
    "a fault": (problem(500, "internal"), ProblemError, "HTTP 500 internal"),
    "a page": (says(200), NoAnswer, "is not this service: it answers without a JSON object"),
    "a list": (says(200, ["a"]), NoAnswer, "is not this service"),
    "other JSON": (says(200, {"hello": "world"}), NoAnswer, "is not this service: 1. validation"),
    "a redirect": (says(307, "", Location="http://127.0.0.1:9/"), NoAnswer, "HTTP 307"),
    "no problem": (says(404), NoAnswer, "HTTP 404"),
}


@pytest.mark.parametrize("kind", GIVEN_UP)
async def test_what_does_not_pass_is_raised_at_once(kind: str, api: Api) -> None:
    """One request, and an exception that says what came back; a redirect is not followed."""
    fault, error, words = GIVEN_UP[kind]
    async with through(api, fault, passes) as (between, client):
        with pytest.raises(error, match=words) as caught:
            await client.submit(IMAGE)
    assert len(between.seen) == 1
    assert caught.value.retry_after_s == (86_400 if kind == "a daily quota" else None)


async def test_patience_has_an_end(api: Api) -> None:
    """What would pass is raised as it is when the patience is over, with growing pauses before."""
    faults = [problem(503, "overloaded")] * 20
    async with through(api, *faults, patience_s=2) as (between, client):
        began = time.monotonic()
        with pytest.raises(ProblemError, match="HTTP 503 overloaded") as caught:
            await client.submit(IMAGE)
    assert caught.value.passing
    # Pauses of half a second and one are made; the next, of two, would be too long.
    assert (len(between.seen), time.monotonic() - began < 2) == (3, True)


async def test_nobody_there_is_told_soon() -> None:
    """Where nothing ever answered, the patience is five seconds at most."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with asyncio.timeout(8), Client(url, "token") as client:
            with pytest.raises(NoAnswer, match=r"does not answer \(Connection refused\)"):
                await client.submit(IMAGE)


async def test_no_address_is_an_answer_of_its_own() -> None:
    """A malformed address is no crash and is not tried twice."""
    async with Client("moderation.example", "token") as client:
        with pytest.raises(NoAnswer) as caught:
            await client.submit(IMAGE)
    assert not caught.value.passing


async def test_waiting_is_asked_seldom(api: Api) -> None:
    """A service that lets nobody wait is asked a few times in three seconds, not in a loop."""
    async with through(api) as (between, client):
        sent = await client.submit(IMAGE)
        between.script += [says(200, {"state": "queued"}), passes] * 50
        with pytest.raises(TimeoutError):
            await client.wait(sent.id, timeout_s=3)
    assert len(between.seen) <= 1 + 2 * 8


async def test_an_answer_may_have_grown(api: Api) -> None:
    """Fields, states and outcomes that a later version of the service adds are no fault."""
    async with through(api) as (between, client):
        sent = await client.submit(IMAGE)
        grown = {**sent.raw, "state": "archived", "outcome": "novel", "mood": {"a": [1]}}
        between.script.append(says(200, grown))
        found = await client.upload(sent.id)
    assert (found.state, found.outcome, found.ended) == ("archived", "novel", True)
    assert found.raw["mood"] == {"a": [1]}
