"""Every shape of answer leads to the advice that helps, through the real client and dialects."""

import asyncio
import dataclasses
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from service.edits.client import DIALECTS, EditsClient
from service.pictures.pool import Decoders
from service.probe import specimen
from service.probe.asking import Report, calls, probe, run
from tests import draw
from tests.conftest import configured
from tests.probe.gateway import DESCRIBED, IDS, KEY, SPELLED, Gateway, Given, images
from tests.probe.shapes import ANSWERS, SHAPES
from tests.upstream import EDITED, Upstream, cut, described, hanging


async def probed(
    client: EditsClient, decoders: Decoders, url: str, dialect: str, **changes: Any
) -> Report:
    upstream = configured(url, dialect=dialect, key=KEY, **changes)
    return await probe(client, decoders, upstream)


@pytest.mark.parametrize("shape", SHAPES)
async def test_error_leads_to_its_advice_in_every_dialect(
    shape: str, gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """What an upstream answers instead of an edit names the setting that would help."""
    given, fact, named = SHAPES[shape]
    gateway.given = dict.fromkeys(DIALECTS, given)
    for dialect in DIALECTS:
        report = await probed(client, decoders, f"{gateway.url}/v1", dialect)
        assert (dialect, report.fact, report.works) == (dialect, fact, False)
        assert named in report.advice
        assert (report.status, report.image, report.text) == (given.status, None, None)
        assert f"UPSTREAM_DIALECT={dialect}" not in report.advice


@pytest.mark.parametrize("answer", ANSWERS)
async def test_answer_leads_to_its_advice_in_every_dialect(
    answer: str, gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """Of a 200 it is told what came back and what did not, wherever the dialect has it."""
    image, text, fact = ANSWERS[answer]
    for dialect in DIALECTS:
        gateway.given[dialect] = SPELLED[dialect](image, text)
        report = await probed(client, decoders, f"{gateway.url}/v1", dialect)
        assert (dialect, report.fact) == (dialect, fact)
        assert report.works == (fact in ("works", "unchanged"))
        assert (report.image is not None) == (image is not None and fact != "image_unreadable")
        assert (report.text is not None) == (text is not None and text != specimen.PROMPT)
        assert f"UPSTREAM_DIALECT={dialect}" not in report.advice


async def test_good_answer_is_reported_whole(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """Picture, description, tokens, price, ids and the model that answered are all told."""
    report = await probed(client, decoders, gateway.url, "gemini")
    assert report.image is not None
    assert report.text is not None
    assert (report.image.mime, report.image.width, report.image.height) == ("image/png", 256, 256)
    assert report.image.changed is True
    assert (report.text.valid, report.text.findings) == (True, ("black-square",))
    assert (report.input_tokens, report.output_tokens) == (1640, 1287)
    assert (report.status, report.price_usd, report.cost_usd) == (200, 0.058, 0.058)
    assert report.answered_model == "flash-7"
    assert report.request_ids == {name.lower(): value for name, value in IDS.items()}
    assert 0 < report.latency_s < 5


async def test_lossy_picture_of_the_same_size_is_not_called_edited(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """A JPEG differs from what was sent by its encoding alone, so nothing is claimed of it."""
    gateway.given["gemini"] = SPELLED["gemini"](draw.jpeg(256, 256, "navy"))
    report = await probed(client, decoders, gateway.url, "gemini")
    assert report.image is not None
    assert (report.fact, report.image.mime, report.image.changed) == ("works", "image/jpeg", None)


async def test_draft_among_thoughts_is_no_image(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """A picture that the model only thought of did not come back, and nothing says it did."""
    given = SPELLED["gemini"]()
    assert isinstance(given.body, dict)
    given.body["candidates"][0]["content"]["parts"][1]["thought"] = True
    gateway.given["gemini"] = given
    report = await probed(client, decoders, gateway.url, "gemini")
    assert (report.fact, report.image) == ("image_dropped", None)


async def test_address_in_place_of_the_image_is_told(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """A hosted image is not fetched; the setting that asks for bytes is named."""
    item = {"url": "https://images.example/1.png", "revised_prompt": DESCRIBED}
    gateway.given["openai-images"] = Given({"created": 1, "data": [item]})
    report = await probed(client, decoders, f"{gateway.url}/v1", "openai-images")
    assert (report.fact, report.works) == ("image_hosted", False)
    assert "MODERATION_UPSTREAM_RESPONSE_FORMAT=true" in report.advice


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


async def test_nothing_of_a_hostile_answer_holds_the_key_or_controls(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """Wherever an upstream repeats the key or puts controls, the report is clean of both."""
    hostile = f"\x1b[31mwrong: {KEY} \u202e\u0007"
    unfit = DESCRIBED.replace("black-square", hostile.encode("unicode_escape").decode())
    answers = (
        Given({"error": {"message": hostile}, "model": hostile}, 401, {"x-request-id": KEY}),
        Given({"error": hostile}, 200),
        Given(hostile, 500),
        Given(hostile),
        images(text=hostile),
        images(text=json.dumps({hostile: 1})),
        images(text=json.dumps(json.loads(unfit.replace("\\x", "\\u00")))),
        images(image=None, text=hostile),
    )
    for answer in answers:
        gateway.given["openai-images"] = answer
        report = await probed(client, decoders, f"{gateway.url}/v1", "openai-images")
        assert not report.works
        shown = list(strings(dataclasses.asdict(report)))
        assert "wrong: ***" in " ".join(shown)
        assert KEY not in " ".join(shown)
        assert [value for value in shown if not value.isprintable()] == []


async def test_openai_routes_are_tried_beside_native_ones(gateway: Gateway) -> None:
    """From gemini with any or no version in the address, the others are found under /v1."""
    for path in ("", "/", "/v1", "/v1beta", "/v1beta/"):
        gateway.called.clear()
        upstream = configured(gateway.url + path, dialect="gemini")
        reports = await run(calls(upstream, try_all=True))
        assert [report.dialect for report in reports] == gateway.called
        assert gateway.called[0] == "gemini"
        assert sorted(gateway.called) == sorted(DIALECTS)
        assert all(report.works for report in reports)


async def test_deep_and_wide_answers_are_reported(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """A body nested to the parser's limit, or of a million strings, ends as a report in time."""
    deep = [f'{{"a": {"[" * depth}{"]" * depth}}}' for depth in (900, 950, 980, 990, 5000)]
    wide = json.dumps({"a": ["so it is"] * 1_000_000})
    for body in (*deep, wide):
        gateway.given["gemini"] = Given(body)
        report = await probed(client, decoders, gateway.url, "gemini", timeout_s=20.0)
        assert report.fact in ("empty", "not_an_api")


async def test_refused_calls_cost_nothing_and_wasted_ones_do(
    gateway: Gateway, client: EditsClient, decoders: Decoders
) -> None:
    """The cost told is what the ledger would enter: none for a 429, the price for a lost text."""
    gateway.given["gemini"] = Given({"error": {"message": "slow"}}, 429, {"Retry-After": "31"})
    limited = await probed(client, decoders, gateway.url, "gemini")
    assert (limited.cost_usd, limited.retry_after_s) == (0.0, 31.0)
    gateway.given["gemini"] = SPELLED["gemini"](text=None)
    assert (await probed(client, decoders, gateway.url, "gemini")).cost_usd == 0.058


async def test_nobody_there_is_told_with_the_address(
    client: EditsClient, decoders: Decoders
) -> None:
    """A closed port: the address is named, and that nothing was sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening, so connecting is refused.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        report = await probed(client, decoders, url, "openai-images")
    assert (report.fact, report.status, report.cost_usd) == ("unreachable", None, 0.0)
    assert url in report.advice


async def test_late_answer_is_told_with_its_limit(
    client: EditsClient, decoders: Decoders, upstream: Upstream
) -> None:
    """No answer in time: the limit is named, and that it may be billed."""
    over = asyncio.Event()
    upstream.script = [hanging(over)]
    report = await probed(client, decoders, upstream.url, "openai-images", timeout_s=0.3)
    over.set()
    assert (report.fact, report.status, report.cost_usd) == ("timed_out", None, 0.058)
    assert "0.3 s" in report.advice


async def test_broken_connection_is_told(
    client: EditsClient, decoders: Decoders, upstream: Upstream
) -> None:
    """Half an answer is none, and it may be billed; nothing of the call before is taken for it."""
    good = await probed(client, decoders, upstream.url, "openai-images")
    upstream.script = [cut()]
    report = await probed(client, decoders, upstream.url, "openai-images")
    assert (good.works, report.fact, report.image, report.status) == (True, "cut_off", None, None)


async def test_call_is_the_one_that_a_worker_makes(
    client: EditsClient, decoders: Decoders, upstream: Upstream
) -> None:
    """The scripted endpoint gets the drawn picture and a prompt with both rules and the schema."""
    upstream.script = [described(EDITED)]
    report = await probed(client, decoders, upstream.url, "openai-images")
    (call,) = upstream.calls
    assert (call.image, call.prompt) == (specimen.picture(), specimen.PROMPT)
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    rule = call.schema["properties"]["findings"]["items"]["properties"]["rule"]
    assert rule == {"enum": ["black-square", "legible-text"]}
    # That endpoint's picture is smaller and its description finds nothing; both are told.
    assert report.image is not None
    assert report.text is not None
    assert (report.image.width, report.image.changed, report.text.findings) == (64, True, ())
