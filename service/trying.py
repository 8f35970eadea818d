"""Runs of golden examples: priced first, then done by the workers as uploads like any other."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service import catalogue, golden, ids, resources
from service.edits import routing
from service.errors import InputRefused, Unreadable
from service.pictures.pool import Decoders
from service.policy import rulesets, tokens
from service.policy.rulesets import Ruleset
from service.quoting import Offer
from service.store import Conn, Pool, audit, images, trials, uploads
from service.store import rulesets as store
from service.store.platforms import GOLDEN


class Price(BaseModel):
    """What a run costs at most: calls, one for each example, and microdollars."""

    model_config = ConfigDict(extra="forbid")

    calls: int = Field(ge=0)
    microusd: int = Field(ge=0)


class QuotedExample(BaseModel):
    """The one call that an example needs, and whom it goes to."""

    example: int = Field(description="its place in the version, from 0")
    image: str
    upstream: str
    model: str
    microusd: int


class Quote(Price):
    """
    The price of a run before anything is paid.

    The ledger never passes it: no call is made that would cost an example more than it says.
    """

    ruleset: str
    version: int
    examples: list[QuotedExample]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A quote, and the digest of each example's picture as it was received."""

    quote: Quote
    pictures: Sequence[bytes]


class Trying:
    """Quotes runs and starts them; it decodes pictures in a child of its own while it quotes."""

    def __init__(self, pool: Pool, offers: Sequence[Offer]) -> None:
        self._pool, self._offers = pool, offers
        # A received picture's digest to that of the canonical one, which decides where it goes.
        self._canonical: dict[bytes, bytes] = {}
        self._decoding = asyncio.Lock()

    async def quote(self, name: str, number: int) -> Quote:
        """
        Tell what a run of a version's examples costs.

        Raises:
            InputRefused: ``not_found``; ``examples_unusable`` if there are none, or with every
                picture that is not stored or cannot be decoded; ``quote_impossible`` if nobody is
                configured who may be asked, or the price is not known.
        """
        return (await self._plan(name, number)).quote

    async def start(self, name: str, number: int, confirmed: Price, actor: str) -> UUID:
        """
        Start a run for the price that somebody has agreed to; one that is under way is joined.

        Raises:
            InputRefused: As ``quote``, and ``quote_changed`` with what it costs now.  Nothing was
                started.
        """
        plan = await self._plan(name, number)
        price = Price(calls=plan.quote.calls, microusd=plan.quote.microusd)
        if confirmed != price:
            raise InputRefused(
                "quote_changed",
                f"the run takes {price.calls} calls and {price.microusd} microdollars now, not"
                f" {confirmed.calls} and {confirmed.microusd}",
                errors=[price.model_dump()],
            )
        async with self._pool.acquire() as conn, conn.transaction():
            # Whoever asks twice, as a client does that lost the answer, must not pay twice.
            await store.lock(conn, name)
            under_way = await trials.running(conn, name, number)
            return under_way or await _begin(conn, plan, actor)

    async def _plan(self, name: str, number: int) -> _Plan:
        async with self._pool.acquire() as conn:
            row = await catalogue.find(conn, name, number)
            ruleset = rulesets.of_content(row["content"])
            box = resources.folder("rulesets")
            await golden.supply(conn, name, number, ruleset.examples, box)
            pictures = await golden.find(conn, name, number, ruleset.examples)
        await self._decode(pictures)
        able = _able(self._offers, ruleset, row["prompt"])
        examples = [
            _quoted(at, example.image, routing.order(able, self._canonical[digest])[0])
            for at, (example, digest) in enumerate(zip(ruleset.examples, pictures, strict=True))
        ]
        quote = Quote(
            ruleset=name,
            version=number,
            calls=len(examples),
            microusd=sum(one.microusd for one in examples),
            examples=examples,
        )
        return _Plan(quote, pictures)

    async def _decode(self, pictures: Sequence[bytes]) -> None:
        """Learn what the workers will make of the pictures, as far as that is not known."""
        faults: list[dict[str, object]] = []
        async with self._decoding:
            unknown = [one for one in enumerate(pictures) if one[1] not in self._canonical]
            if not unknown:
                return
            async with _decoders() as decoders:
                for at, digest in unknown:
                    async with self._pool.acquire() as conn:
                        received = await images.get(conn, digest)
                    try:
                        picture = await decoders.canonical(received.data)
                    except Unreadable as error:
                        faults.append({"path": f"examples[{at}].image", "message": str(error)})
                    else:
                        self._canonical[digest] = hashlib.sha256(picture.data).digest()
        if faults:
            raise golden.refusal(faults)


@asynccontextmanager
async def _decoders() -> AsyncIterator[Decoders]:
    """Run one decoder for as long as it is needed, which is seldom."""
    decoders = Decoders(1)
    await decoders.start()
    try:
        yield decoders
    finally:
        await decoders.stop()


def _able(offers: Sequence[Offer], ruleset: Ruleset, prompt: str) -> list[Offer]:
    """List the upstreams that may be asked, as the workers do."""
    size = tokens.measure(prompt)
    reasons = [routing.unable(ruleset.model, size, one.window) for one in offers]
    able = [one for one, reason in zip(offers, reasons, strict=True) if reason is None]
    if not able:
        raise InputRefused(
            "quote_impossible",
            f"no configured upstream may judge by {ruleset.name}: "
            + ("; ".join(reason for reason in reasons if reason) or "none is configured here"),
        )
    return able


def _quoted(at: int, image: str, offer: Offer) -> QuotedExample:
    if offer.price_microusd is None:
        raise InputRefused(
            "quote_impossible",
            f"nobody knows the price of upstream {offer.window.upstream} ({offer.window.model});"
            " set its price_usd",
        )
    return QuotedExample(
        example=at,
        image=image,
        upstream=offer.window.upstream,
        model=offer.window.model,
        microusd=offer.price_microusd,
    )


async def _begin(conn: Conn, plan: _Plan, actor: str) -> UUID:
    """Queue an upload for each example, in the caller's transaction."""
    quote, trial = plan.quote, ids.uuid7()
    await trials.add(conn, trial, quote.ruleset, quote.version, actor, quote.microusd)
    for one, digest in zip(quote.examples, plan.pictures, strict=True):
        upload = uploads.NewUpload(
            id=ids.uuid7(),
            platform=GOLDEN,
            external_id=one.image,
            metadata={"trial": str(trial), "example": one.example},
            image_sha256=digest,
            ruleset=quote.ruleset,
            version=quote.version,
            max_cost_microusd=one.microusd,
        )
        await uploads.add(conn, upload)
        await trials.add_example(conn, trial, one.example, upload.id)
    await audit.add(
        conn,
        actor,
        "ruleset.check",
        f"{quote.ruleset}/{quote.version}",
        trial=str(trial),
        calls=quote.calls,
        microusd=quote.microusd,
    )
    return trial
