"""Failures that mix, pass or ask us to wait, through the worker; each alone is a fault mode."""

from datetime import timedelta

import pytest
from aiohttp import web

from service.store import Pool
from tests import draw
from tests.flows import driving
from tests.flows.driving import Owner
from tests.upstream import (
    SENT,
    Call,
    Upstream,
    cut,
    described,
    error,
    items,
    text,
)

IMAGE = {"b64_json": SENT}


async def test_different_failures_share_one_budget(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """Six calls are the most, however the failures mix."""
    assert working
    upstream.script = [error(429, "x"), error(500, "x"), cut(), items(IMAGE), text("x")] * 2
    (row,) = await driving.ended(owner, await driving.queued(pool))
    assert (row["state"], row["outcome"], row["charges"]) == ("failed", "exhausted", 6)
    expected = ["rate_limited", "upstream_error", "cut_off", "no_description", "malformed_answer"]
    await driving.check_ledger(owner, row["id"], [*expected, "rate_limited"])


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
