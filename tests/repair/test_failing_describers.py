"""A description alone that fails: no second picture is paid for, and no upload of others waits."""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from service.edits import Upstream as Configured
from service.edits import outcomes
from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.limits import queueing
from tests.repair import (
    CLEAN,
    FIRST,
    INVALID,
    KEPT_TIMES,
    alone,
    edit,
    first_then,
    in_turn,
    ledger,
    proven_times,
    repairing,
)
from tests.upstream import Answer, Upstream, answered, cut, described, error, hanging, text

RECORD: Final = """
    SELECT attempt, edit_attempt FROM records WHERE upload_id = $1
"""
REFUSED: Final = error(400, "content_policy_violation")
# What a describer may answer before it describes after all: the answer, its row, and its price.
RETRIED: Final[Mapping[str, tuple[Answer, tuple[str, str, int]]]] = {
    "rate_limited": (error(429, "slow_down", {"Retry-After": "1"}), alone("rate_limited", 0)),
    "overloaded": (error(529, "overloaded_error"), alone("upstream_error", 0)),
    "server_error": (error(500, "internal"), alone("upstream_error", 0)),
    "cut_off": (cut(), alone("cut_off")),
    "not_json": (text("<html>busy</html>"), alone("malformed_answer")),
}
# Answers by which its route or model shows that it does not serve descriptions.
NOT_SERVED: Final[Mapping[str, tuple[Answer, str]]] = {
    "no_route": (error(404, "not_found"), "unauthorised"),
    "key_not_for_it": (error(401, "invalid_api_key"), "unauthorised"),
    "model_not_allowed": (error(403, "permission_error"), "unauthorised"),
    "field_unknown": (error(400, "unknown_parameter"), "rejected"),
    "too_large": (error(413, "request_too_large"), "rejected"),
}


async def test_refusal_is_the_end(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """A describer that refuses says no less than an editor that does."""
    upstream.script = [INVALID, REFUSED]
    async with driving.worker(pool, where, decoders, repairing(upstream.url)):
        (row,) = await driving.ended(owner, await driving.queued(pool))
    assert (row["state"], row["outcome"], row["verdict"]) == ("failed", "refused", "hold")
    assert await ledger(owner, row["id"]) == [edit("invalid_description"), alone("refused", 0)]
    assert upstream.script == []


@pytest.mark.parametrize("spare", [repairing, configured])
async def test_refused_description_may_go_elsewhere(
    spare: Callable[[str], Configured],
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """Where the ruleset lets another stand in, it describes the kept picture or edits anew."""
    upstream.script = [first_then(INVALID, REFUSED), first_then(INVALID, REFUSED), described()]
    stands_in = dataclasses.replace(spare(upstream.url), name="spare", weight=0.0)
    describes = stands_in.describer is not None
    await queueing.publish(pool, "falling-back", fallback=True)
    async with driving.worker(pool, where, decoders, repairing(upstream.url), stands_in):
        upload = await driving.queued(pool, ruleset="falling-back")
        (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["outcome"], row["verdict"]) == ("done", "clean", "allow")
    last = alone("described") if describes else edit("described")
    bills = [edit("invalid_description"), alone("refused", 0), last]
    assert await ledger(owner, upload) == bills
    asked = [one["upstream"] for one in await driving.attempts_of(owner, upload)]
    assert asked == ["scripted", "scripted", "spare"]
    record = await owner.fetchrow(RECORD, upload)
    assert record is not None
    assert tuple(record) == (3, 1 if describes else None)
    assert await proven_times(owner, upload) == (KEPT_TIMES if describes else 1)


async def test_passing_failures_are_retried_with_the_kept_picture(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """Only the description is asked for again, by the table of outcomes, until it comes."""
    answers = {
        name: first_then(in_turn(INVALID), in_turn(failing, failing, answered(CLEAN)))
        for name, (failing, _) in RETRIED.items()
    }
    upstream.script = [driving.by_picture(answers)] * 100
    async with driving.worker(pool, where, decoders, repairing(upstream.url)):
        uploads = [
            await driving.queued(pool, draw.png(index, 8, "red"))
            for index in range(1, len(RETRIED) + 1)
        ]
        rows = await driving.ended(owner, *uploads, press=driving.forgive)
    for (_, billed), row in zip(RETRIED.values(), rows, strict=True):
        assert (row["state"], row["outcome"], row["charges"]) == ("done", "clean", 4)
        bills = [edit("invalid_description"), billed, billed, alone("described")]
        assert await ledger(owner, row["id"]) == bills
        record = await owner.fetchrow(RECORD, row["id"])
        assert record is not None
        assert tuple(record) == (4, 1)
        assert await proven_times(owner, row["id"]) == KEPT_TIMES


async def test_slow_describer_is_asked_again(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """A description that does not come in time may have been billed; the picture was, once."""
    until = asyncio.Event()
    upstream.script = [INVALID, hanging(until), answered(CLEAN)]
    async with driving.worker(pool, where, decoders, repairing(upstream.url, timeout_s=0.5)):
        (row,) = await driving.ended(owner, await driving.queued(pool))
        until.set()
    assert (row["state"], row["outcome"]) == ("done", "clean")
    bills = [edit("invalid_description"), alone("timeout"), alone("described")]
    assert await ledger(owner, row["id"]) == bills


async def test_describer_that_never_answers_exhausts_the_upload(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """Picture and descriptions share the upload's attempts; the last failure ends it, held."""
    upstream.script = [first_then(INVALID, error(500, "internal"))] * 100
    async with driving.worker(pool, where, decoders, repairing(upstream.url)):
        (row,) = await driving.ended(owner, await driving.queued(pool), press=driving.forgive)
    assert (row["state"], row["outcome"], row["verdict"]) == ("failed", "exhausted", "hold")
    failed = [alone("upstream_error", 0)] * (outcomes.MAX_ATTEMPTS - 1)
    assert await ledger(owner, row["id"]) == [edit("invalid_description"), *failed]
    assert len(upstream.calls) == outcomes.MAX_ATTEMPTS


@pytest.mark.parametrize("first", ["no_text", "unknown_rule"])
async def test_route_that_does_not_serve_it_ends_only_that_upload(
    first: str, pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """The upload ends as its edit did; the upstream is not paused and goes on to edit."""
    answer, outcome = FIRST[first]
    answers = {name: first_then(answer, unserved) for name, (unserved, _) in NOT_SERVED.items()}
    upstream.script = [driving.by_picture(answers)] * (2 * len(NOT_SERVED))
    async with driving.worker(pool, where, decoders, repairing(upstream.url)):
        rows = await driving.each_ended(pool, owner, NOT_SERVED)
        standing = await owner.fetchrow("SELECT failures, down_since FROM upstreams")
        (later,) = await driving.ended(owner, await driving.queued(pool))
    ends = {name: (row["state"], row["outcome"], row["verdict"]) for name, row in rows.items()}
    assert ends == dict.fromkeys(NOT_SERVED, ("failed", outcome, "hold"))
    for name, row in rows.items():
        assert await ledger(owner, row["id"]) == [edit(outcome), alone(NOT_SERVED[name][1], 0)]
        _, told = await driving.attempts_of(owner, row["id"])
        assert told["http_status"] in (400, 401, 403, 404, 413)
        assert told["answer_text"]
        await driving.message_of(owner, row["id"])
    assert standing is not None
    assert tuple(standing) == (0, None)
    assert (later["state"], later["attempt"]) == ("done", 1)
