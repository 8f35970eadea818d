"""The probe: one paid call with a drawn picture shows what an upstream really does."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from service.edits import AttemptFailed, Edit, Reply, Upstream, outcomes
from service.edits.client import DIALECTS, EditsClient
from service.errors import InputRefused, StartRefused, Unreadable
from service.pictures import headers
from service.pictures.pool import Decoders
from service.policy import descriptions
from service.policy.descriptions import Checker, DescriptionInvalid
from service.prices import MICRO
from service.probe import advising, looking, specimen
from service.probe.advising import Facts, Sign
from service.probe.looking import Looked, told

_VERSION: Final = re.compile(r"/v1(?:alpha|beta)?/?$")


@dataclass(frozen=True, slots=True)
class ImageSeen:
    """An image that came back; ``changed`` is None where a lossy format leaves it open."""

    mime: str
    width: int
    height: int
    changed: bool | None


@dataclass(frozen=True, slots=True)
class TextSeen:
    """A text that came back: is it JSON, is it a description, what it finds or what is wrong."""

    json: bool
    valid: bool
    findings: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """
    What one call showed.

    ``cost_usd`` is what the ledger would enter.  What the upstream wrote (``answered_model``,
    ``request_ids``, ``said``, the faults) is short, without the key and without control characters.
    """

    dialect: str
    url: str
    model: str
    works: bool
    fact: str
    advice: str
    outcome: str
    status: int | None
    image: ImageSeen | None
    text: TextSeen | None
    latency_s: float
    input_tokens: int | None
    output_tokens: int | None
    price_usd: float
    cost_usd: float
    retry_after_s: float | None
    answered_model: str | None
    request_ids: dict[str, str | None]
    detail: str | None
    said: str | None


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a call ended, with what came back whether or not that was enough."""

    reply: Reply | None
    failure: AttemptFailed | None
    looked: Looked | None
    image: bytes | None
    text: str | None
    tokens: tuple[int | None, int | None]
    latency_s: float


def chosen(upstreams: Sequence[Upstream], name: str | None) -> Upstream:
    """
    Choose the upstream to probe.

    Raises:
        StartRefused: The name is unknown, or missing and needed, or the key fits no header.
    """
    known = {one.name: one for one in upstreams}
    if name is None and len(known) > 1:
        raise StartRefused(f"several upstreams are configured: use --upstream {'|'.join(known)}")
    if name is not None and name not in known:
        raise StartRefused(f"no upstream {name!r} is configured; there is {', '.join(known)}")
    return upstreams[0] if name is None else known[name]


def calls(upstream: Upstream, *, try_all: bool) -> list[Upstream]:
    """List the calls to be made: the upstream as it is configured, then in every other dialect."""
    others = [name for name in DIALECTS if name != upstream.dialect] if try_all else []
    return [upstream, *(_speaking(upstream, dialect) for dialect in others)]


def _speaking(upstream: Upstream, dialect: str) -> Upstream:
    """Change the dialect; where Gemini's routes were configured, OpenAI's stand under /v1."""
    url = upstream.url
    if upstream.dialect == "gemini":
        url = f"{_VERSION.sub('', url).rstrip('/')}/v1"
    return replace(upstream, dialect=dialect, url=url)


async def run(upstreams: Sequence[Upstream]) -> list[Report]:
    """Make the calls one after another, so that they cannot limit each other's rate."""
    decoders = Decoders(1)
    await decoders.start()
    try:
        async with EditsClient() as client:
            return [await probe(client, decoders, upstream) for upstream in upstreams]
    finally:
        await decoders.stop()


async def probe(client: EditsClient, decoders: Decoders, upstream: Upstream) -> Report:
    """Make one paid call and tell what it showed; however it failed stands in the report."""
    ended = await _call(client, upstream)
    image = await _seen(decoders, ended.image) if ended.image else None
    text = _judged(ended.text, upstream.key) if ended.text else None
    facts = _facts(ended, image, text)
    row = advising.advice(facts)
    price_usd = upstream.price_microusd / MICRO
    looked, failure, key = ended.looked, ended.failure, upstream.key
    said = (looked.message if looked else None) or (failure.text if failure else ended.text)
    return Report(
        dialect=upstream.dialect,
        url=advising.shown_url(upstream.url),
        model=upstream.model,
        works=row.works,
        fact=row.fact,
        advice=advising.sentence(row, facts, upstream),
        outcome=facts.outcome,
        status=facts.status,
        image=image,
        text=text,
        latency_s=round(ended.latency_s, 3),
        input_tokens=ended.tokens[0],
        output_tokens=ended.tokens[1],
        price_usd=price_usd,
        cost_usd=price_usd if outcomes.TABLE[facts.outcome].paid else 0.0,
        retry_after_s=failure.retry_after_s if failure else None,
        answered_model=told(looked.model, key) if looked else None,
        request_ids={name: told(value, key) for name, value in looked.request_ids.items()}
        if looked
        else {},
        detail=told(str(failure), key) if failure else None,
        said=None if row.works else told(said, key),
    )


async def _call(client: EditsClient, upstream: Upstream) -> _Ended:
    edit = Edit(specimen.PROMPT, specimen.picture(), "image/png")
    begun = time.monotonic()
    try:
        answer, reply = await client.edit(edit, upstream)
    except AttemptFailed as failure:
        latency_s = time.monotonic() - begun
        if failure.reply is None:
            return _Ended(None, failure, None, None, None, (None, None), latency_s)
        looked = await asyncio.to_thread(looking.look, failure.reply, specimen.PROMPT)
        image = failure.image or looked.image
        text = _own_text(failure, looked) if failure.reply.status == 200 else None
        return _Ended(failure.reply, failure, looked, image, text, (None, None), latency_s)
    latency_s = time.monotonic() - begun
    looked = await asyncio.to_thread(looking.look, reply, specimen.PROMPT)
    tokens = (answer.input_tokens, answer.output_tokens)
    return _Ended(reply, None, looked, answer.image, answer.text, tokens, latency_s)


def _own_text(failure: AttemptFailed, looked: Looked) -> str | None:
    """Give what the model said; where it said nothing, the failure keeps the body's beginning."""
    if failure.outcome == "malformed_answer" or looked.echo or looked.message:
        return None
    return None if failure.text and looked.words.startswith(failure.text) else failure.text


def _facts(ended: _Ended, image: ImageSeen | None, text: TextSeen | None) -> Facts:
    """Name what came of the call, as a worker would, and the signs beside it."""
    if ended.failure is not None:
        outcome = ended.failure.outcome
    elif image is None:
        outcome = "no_image"
    else:
        outcome = "described" if text and text.valid else "invalid_description"
    looked = ended.looked
    seen: dict[Sign, bool] = {
        "echo": looked is not None and looked.echo,
        "hosted": looked is not None and looked.hosted and not ended.image,
        "unreadable": ended.image is not None and image is None,
        "text": text is not None,
        "not_json": text is not None and not text.json,
        "unchanged": image is not None and image.changed is False,
    }
    return Facts(
        outcome,
        ended.reply.status if ended.reply else None,
        looked.words if looked else "",
        frozenset(sign for sign, there in seen.items() if there),
    )


def _judged(text: str, key: str | None) -> TextSeen:
    """Judge a text as a worker would."""
    parsed = False
    try:
        description, _ = descriptions.parse(text)
        parsed = True
        Checker(descriptions.schema(specimen.RULESET)).check(description)
    except DescriptionInvalid as error:
        faults = tuple(told(reason, key) or "" for reason in error.reasons)
        return TextSeen(json=parsed, valid=False, findings=(), faults=faults)
    found = descriptions.judge(description, specimen.RULESET).rules
    return TextSeen(json=True, valid=True, findings=found, faults=())


async def _seen(decoders: Decoders, image: bytes) -> ImageSeen | None:
    """Decode an image that came back and compare its pixels; None if no viewer could show it."""
    try:
        mime = headers.read(image).mime
        came = await decoders.canonical(image)
    except (InputRefused, Unreadable):
        return None
    sent = await decoders.canonical(specimen.picture())
    same_size = (came.width, came.height) == (sent.width, sent.height)
    lossy = came.mime != sent.mime
    changed = None if lossy and same_size else came.data != sent.data
    return ImageSeen(mime, came.width, came.height, changed)
