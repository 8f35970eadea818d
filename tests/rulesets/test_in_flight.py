"""Versions that come and go while uploads are in flight: each keeps the one it was accepted by."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from tests import draw
from tests.conftest import Api
from tests.flows import driving
from tests.flows.driving import Owner
from tests.rulesets import TOPICS, add, get, publish, roll_back, source
from tests.upstream import Call, Upstream, described, finding

pytestmark = pytest.mark.usefixtures("working")

UPLOADS, MOVES, SENDERS = 200, 20, 8
RECORDS = """
    SELECT u.id, u.version, r.rules, a.prompt_sha256, v.prompt_sha256 AS kept,
           (SELECT count(*) FROM callbacks AS c WHERE c.upload_id = u.id) AS told
      FROM uploads AS u
      JOIN records AS r ON r.upload_id = u.id
      JOIN attempts AS a ON a.upload_id = u.id AND a.attempt = r.attempt
      JOIN ruleset_versions AS v ON v.ruleset = u.ruleset AND v.version = u.version
     WHERE u.state = 'done'
"""
RULES = {number: list(TOPICS)[:number] for number in range(1, 6)}


def ids(call: Call) -> list[str]:
    """Read the rule ids that an answer to this call may name."""
    found: list[str] = call.schema["properties"]["findings"]["items"]["properties"]["rule"]["enum"]
    return found


async def finds_the_last_rule(call: Call, request: web.Request) -> web.StreamResponse:
    """Find what the prompt's last rule forbids: each version here has another one."""
    return await described(findings=[finding(ids(call)[-1])])(call, request)


@dataclass(frozen=True, slots=True)
class Span:
    """Something that happened between two times of the caller's clock."""

    begin: float
    end: float
    what: Any


async def timed(work: Any) -> Span:
    """Do something and note when."""
    begin = time.monotonic()
    done = await work
    return Span(begin, time.monotonic(), done)


async def move(api: Api, owner: Owner) -> list[Span]:
    """Publish and roll back, spread over the time from the first upload taken to the last ended."""
    spans: list[Span] = []
    for number in range(MOVES):

        async def is_time(steps: int = number * 2 * UPLOADS // MOVES) -> bool:
            count = "SELECT count(*) + count(finished_at) FROM uploads"
            return bool(await owner.fetchval(count) >= steps)

        await driving.until(is_time, f"the uploads are ready for move {number}")
        live = (await get(api.policy, "/shop"))["live_version"]
        if number % 4 == 3:
            done = await timed(roll_back(api.policy))
        else:
            done = await timed(publish(api.policy, live % len(RULES) + 1))
        spans.append(Span(done.begin, done.end, done.what["live_version"]))
    return spans


async def send(api: Api, pictures: Iterator[bytes]) -> list[Span]:
    """Upload one picture after another."""
    return [await timed(api.platform.upload(one, "?ruleset=shop")) for one in pictures]


def live_within(spans: list[Span], upload: Span) -> set[int]:
    """Tell which versions may have been live at some time between sending and answer."""
    ends = [later.end for later in spans[1:]] + [float("inf")]
    return {
        span.what
        for span, end in zip(spans, ends, strict=True)
        if span.begin <= upload.end and upload.begin <= end
    }


async def test_uploads_in_flight_keep_the_version_they_were_accepted_by(
    api: Api, upstream: Upstream, owner: Owner
) -> None:
    """
    Of 200 uploads none is lost while versions are published and rolled back 20 times.

    Each was accepted under a version that was live then, its findings name only that version's
    rules, and its attempt the digest of what the endpoint was sent.
    """
    for rules in RULES.values():
        await add(api.policy, source(*rules))
    first = Span(*(time.monotonic(),) * 2, (await publish(api.policy, 1))["live_version"])
    upstream.script = [finds_the_last_rule] * (2 * UPLOADS)
    pictures = iter([draw.png(width, 8, "teal") for width in range(1, UPLOADS + 1)])
    moves, *sent = await asyncio.gather(
        move(api, owner), *(send(api, pictures) for _ in range(SENDERS))
    )
    uploads = {UUID(one.what["id"]): one for part in sent for one in part}
    assert (len(uploads), len(moves)) == (UPLOADS, MOVES)
    await driving.ended(owner, *uploads)

    rows = await owner.fetch(RECORDS)
    assert {row["id"] for row in rows} == uploads.keys()
    digests = {hashlib.sha256(call.prompt.encode()).digest() for call in upstream.calls}
    for row in rows:
        upload = uploads[row["id"]]
        assert row["version"] == upload.what["ruleset"]["version"]
        assert row["version"] in live_within([first, *moves], upload)
        assert row["rules"] == [RULES[row["version"]][-1]]
        assert row["prompt_sha256"] == row["kept"]
        assert row["prompt_sha256"] in digests
        assert row["told"] == 1
    assert len({row["version"] for row in rows}) > 2


async def test_a_record_names_what_the_endpoint_was_sent(api: Api, upstream: Upstream) -> None:
    """After five edits, an upload of each version was judged by just that version's bytes."""
    for number, rules in RULES.items():
        await add(api.policy, source(*rules))
        await publish(api.policy, number)
        upload = await api.platform.upload(draw.png(number, 9, "red"), "?ruleset=shop")
        done = await api.platform.upload_until(upload["id"], ("done", "failed"))
        shown = await get(api.policy, f"/shop/versions/{number}/prompt")
        sent = upstream.calls[-1].prompt.encode()
        assert done["ruleset"] == {"name": "shop", "version": number}
        assert sent == shown["prompt"].encode()
        assert done["attempts"][0]["prompt_sha256"] == hashlib.sha256(sent).hexdigest()
    first = await get(api.policy, "/shop/versions/1/prompt")
    assert first["prompt"].encode() == upstream.calls[0].prompt.encode()
