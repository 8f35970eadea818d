"""Each way an upstream can fail, through the worker: bounded calls, a typed end, never an allow."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiohttp import web

from service.edits import outcomes
from service.pictures.pool import Decoders
from service.store import Pool, Row
from service.store.database import Database
from tests import draw
from tests.conftest import PRICE, configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.upstream import (
    EDITED,
    Answer,
    Call,
    Upstream,
    base64_of,
    cut,
    described,
    document,
    echo,
    error,
    items,
    text,
)

IMAGE = {"b64_json": base64_of(EDITED)}


async def _silent(_: Call, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer given to every call, its outcome, how many calls it gets and how it ends."""

    answer: Answer
    outcome: str
    calls: int
    ends_as: str


SHAPES = {
    "moderation_blocked": Shape(error(400, "moderation_blocked"), "refused", 1, "refused"),
    "content_policy": Shape(error(400, "content_policy_violation"), "refused", 1, "refused"),
    "refused_in_a_200": Shape(
        document({"error": {"code": "moderation_blocked"}}), "refused", 1, "refused"
    ),
    "no_data": Shape(document({"data": []}), "no_image", 1, "no_image"),
    "image_address": Shape(
        items({"url": "http://127.0.0.1/x", "text": "{}"}), "no_image", 1, "no_image"
    ),
    "image_is_no_image": Shape(
        items({"b64_json": base64_of(b"not a picture"), "text": "{}"}), "no_image", 1, "no_image"
    ),
    "image_is_truncated": Shape(
        items({"b64_json": base64_of(EDITED[: len(EDITED) // 2]), "text": "{}"}),
        "no_image",
        1,
        "no_image",
    ),
    "no_text": Shape(items(IMAGE), "no_description", 2, "no_description"),
    "echo": Shape(echo(), "no_description", 2, "no_description"),
    "not_json": Shape(
        items({**IMAGE, "text": "A nice street."}), "invalid_description", 2, "invalid_description"
    ),
    "rate_limited": Shape(error(429, "rate_limit_exceeded"), "rate_limited", 6, "exhausted"),
    "server_error": Shape(error(500, "server_error"), "upstream_error", 6, "exhausted"),
    "error_in_a_200": Shape(
        document({"error": {"message": "busy"}}), "upstream_error", 6, "exhausted"
    ),
    "bad_request": Shape(error(400, "invalid_value"), "rejected", 2, "exhausted"),
    "redirect": Shape(document({}, 302, {"Location": "/v1"}), "rejected", 2, "exhausted"),
    "cut_off": Shape(cut(), "cut_off", 6, "exhausted"),
    "closed_at_once": Shape(_silent, "cut_off", 6, "exhausted"),
    "html": Shape(text("<html>Welcome</html>"), "malformed_answer", 3, "exhausted"),
    "array": Shape(document([]), "malformed_answer", 3, "exhausted"),
}
# Images that are neither received nor canonical can only be edited ones.
_UNSENT = """
    SELECT count(*) FROM images
     WHERE sha256 NOT IN (SELECT image_sha256 FROM uploads
                          UNION SELECT canonical_sha256 FROM uploads)
"""
# These have tests of their own, named in the values.
ELSEWHERE = {
    "described": "test_main_job",
    "timeout": "test_timeout_is_paid_and_bounded",
    "unreachable": "test_pauses",
    "unauthorised": "test_pauses",
    "lost": "test_kills",
    "released": "test_stopping",
}


def test_every_outcome_of_the_table_is_reached() -> None:
    """A new outcome needs a case here, or a test that is named in ELSEWHERE."""
    assert {shape.outcome for shape in SHAPES.values()} | set(ELSEWHERE) == set(outcomes.TABLE)


async def test_failures_end_typed_held_and_bounded(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """An upload whose every call fails alike ends held, with as many calls as the table allows."""
    assert working
    answer = driving.by_picture({name: shape.answer for name, shape in SHAPES.items()})
    upstream.script = [answer] * 1000

    rows = await driving.each_ended(pool, owner, SHAPES)

    assert {name: (row["state"], row["outcome"], row["verdict"]) for name, row in rows.items()} == {
        name: ("failed", shape.ends_as, "hold") for name, shape in SHAPES.items()
    }
    assert Counter(driving.name_of(call, SHAPES) for call in upstream.calls) == {
        name: shape.calls for name, shape in SHAPES.items()
    }
    for name, shape in SHAPES.items():
        await check_ledger(owner, rows[name], [shape.outcome] * shape.calls)
    assert await owner.fetchval("SELECT count(*) FROM records") == 0
    assert await owner.fetchval(_UNSENT) == 0


async def check_ledger(owner: Owner, row: Row, expected: list[str]) -> None:
    """Check the attempts with their costs, and that the callback says what the row says."""
    attempts = await driving.attempts_of(owner, row["id"])
    assert [one["outcome"] for one in attempts] == expected
    assert [one["attempt"] for one in attempts] == list(range(1, len(expected) + 1))
    for one in attempts:
        rule = outcomes.TABLE[one["outcome"]]
        assert one["reserved_microusd"] == PRICE
        assert one["cost_microusd"] == (PRICE if rule.paid else 0)
        assert one["charged"] == rule.charged
        assert one["finished_at"] >= one["started_at"]
        assert one["sent_sha256"] == row["canonical_sha256"]
    message = await driving.message_of(owner, row["id"])
    assert message["data"]["links"]["edited"] is None


async def test_timeout_is_paid_and_bounded(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """An upstream that never answers costs six calls, each entered at its price."""
    upstream.script = [_never] * 10
    upload = await driving.queued(pool)
    silent = configured(upstream.url, timeout_s=0.2)
    async with driving.worker(pool, where, decoders, silent):
        (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["outcome"]) == ("failed", "exhausted")
    await check_ledger(owner, row, ["timeout"] * 6)


async def _never(_: Call, request: web.Request) -> web.StreamResponse:
    # The connection ends when the client gives up.
    async with asyncio.timeout(10):
        # aiohttp has no event for it.
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
    return web.Response()


async def test_different_failures_share_one_budget(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """Six calls are the most, however the failures mix."""
    assert working
    upstream.script = [error(429, "x"), error(500, "x"), cut(), items(IMAGE), text("x")] * 2
    (row,) = await driving.ended(owner, await driving.queued(pool))
    assert (row["state"], row["outcome"], row["charges"]) == ("failed", "exhausted", 6)
    expected = ["rate_limited", "upstream_error", "cut_off", "no_description", "malformed_answer"]
    await check_ledger(owner, row, [*expected, "rate_limited"])


async def test_last_try_may_succeed(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """Five failures and then a good answer: done, with six rows in the ledger."""
    assert working
    upstream.script = [error(503, "x")] * 5
    (row,) = await driving.ended(owner, await driving.queued(pool))
    assert (row["state"], row["outcome"], row["verdict"]) == ("done", "clean", "allow")
    attempts = await driving.attempts_of(owner, row["id"])
    assert [one["outcome"] for one in attempts] == ["upstream_error"] * 5 + ["described"]
    assert len(upstream.calls) == 6
    await driving.message_of(owner, row["id"])


@pytest.mark.parametrize(
    ("headers", "least_s", "most_s"),
    [({"Retry-After": "120"}, 110, 120), ({"Retry-After": "9999"}, 290, 300), ({}, 0, 1)],
)
async def test_upstreams_wish_is_the_delay(
    pool: Pool,
    owner: Owner,
    upstream: Upstream,
    working: object,
    headers: dict[str, str],
    least_s: int,
    most_s: int,
) -> None:
    """The upload is due when the upstream asked for, clamped; else after the backoff."""
    assert working
    upstream.script = [error(429, "x", headers)]
    upload = await driving.queued(pool)

    async def released() -> bool:
        return bool(await owner.fetchval("SELECT outcome FROM attempts"))

    await driving.until(released, "the attempt was completed")
    row = await driving.row(owner, upload)
    finished = (await driving.attempts_of(owner, upload))[0]["finished_at"]
    assert timedelta(seconds=least_s) <= row["due_at"] - finished <= timedelta(seconds=most_s)


async def test_poison_picture_ends_and_its_neighbours_flow(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """A file that no decoder opens ends ``unreadable`` without a call; others are unharmed."""
    assert working
    broken = draw.png(64, 48, "red")
    broken = broken[:50] + b"\0" * 20 + broken[70:]
    uploads = [
        await driving.queued(pool, image)
        for image in (draw.png(8, 8, "red"), broken, draw.png(9, 9, "blue"))
    ]
    rows = await driving.ended(owner, *uploads)
    assert [row["outcome"] for row in rows] == ["clean", "unreadable", "clean"]
    assert len(upstream.calls) == 2
    assert rows[1]["verdict"] == "hold"
    await driving.message_of(owner, uploads[1])


async def test_same_failure_of_others_does_not_count(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """The budget is each upload's own: many that fail once all recover."""
    assert working
    seen: set[bytes] = set()

    async def fails_once(call: Call, request: web.Request) -> web.StreamResponse:
        first = call.image not in seen
        seen.add(call.image)
        return await (items(IMAGE) if first else described())(call, request)

    upstream.script = [fails_once] * 10
    rows = await driving.each_ended(pool, owner, dict.fromkeys("abcde"))
    assert [row["outcome"] for row in rows.values()] == ["clean"] * 5
    assert len(upstream.calls) == 10


def test_calls_of_the_shapes_are_those_of_the_table() -> None:
    """The number of calls in the cases is the table's own, so both change together."""
    for shape in SHAPES.values():
        rule = outcomes.TABLE[shape.outcome]
        assert shape.calls == (1 if rule.then == "end" else rule.tries)
