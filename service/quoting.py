"""What judging by a ruleset takes and costs: its whole prompt, beside what upstreams offer."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from service import prices
from service.policy import tokens
from service.policy.tokens import IMAGE_TOKENS, Window
from service.upstreams import VENDOR_MODEL, UpstreamTable

IMAGES_A_MONTH = (1_000, 10_000, 50_000, 100_000)


@dataclass(frozen=True, slots=True)
class Offer:
    """What an upstream takes in a call, its share, and its price where anybody knows that."""

    window: Window
    price_microusd: int | None
    weight: float = 1.0


class Monthly(BaseModel):
    """What so many images cost, without second calls; null where the price is not known."""

    images: int
    microusd: int | None


class Judging(BaseModel):
    """
    What judging takes of one upstream.

    ``context_share``: prompt and picture as a share of the context; ``misfit``: why it does not
    take them.
    """

    upstream: str
    model: str
    price_microusd: int | None
    max_prompt_chars: int | None
    context_tokens: int | None
    context_share: float | None
    misfit: str | None
    monthly: list[Monthly]


class PromptView(BaseModel):
    """The prompt, byte for byte as it is sent with each picture; there is no other text."""

    prompt: str
    sha256: str = Field(description="of the prompt's UTF-8 bytes; each attempt names it")
    chars: int
    tokens: int = Field(description="estimated, rather too many than too few")
    upstreams: list[Judging]


def offers_of(tables: Sequence[UpstreamTable]) -> list[Offer]:
    """Tell what the configured upstreams offer; their keys are not needed."""
    return [
        Offer(
            Window(one.name, one.model, one.max_prompt_chars, one.context_tokens),
            round(one.price_usd * prices.MICRO)
            if one.price_usd is not None
            else _listed(one.model),
            one.weight,
        )
        for one in tables
    ]


def asked(offers: Sequence[Offer], model: str | None) -> list[Offer]:
    """Add the default upstream where none is configured; it has the model that a ruleset names."""
    wanted = model or VENDOR_MODEL
    return list(offers) or [Offer(Window("default", wanted), _listed(wanted))]


def windows(offers: Sequence[Offer], model: str | None) -> list[Window]:
    """Tell what the upstreams take that may judge by a ruleset, which may name a model."""
    return [one.window for one in asked(offers, model)]


def show(prompt: str, sha256: str, offers: Sequence[Offer], model: str | None) -> PromptView:
    """Show a version's prompt, and what it takes of each upstream that may judge by it."""
    size = tokens.measure(prompt)
    may = [one for one in asked(offers, model) if model in (None, one.window.model)]
    return PromptView(
        prompt=prompt,
        sha256=sha256,
        chars=size.chars,
        tokens=size.tokens,
        upstreams=[_judging(size, one) for one in may],
    )


def _judging(size: tokens.Size, offer: Offer) -> Judging:
    window, price = offer.window, offer.price_microusd
    max_chars, context = tokens.limits(window)
    return Judging(
        upstream=window.upstream,
        model=window.model,
        price_microusd=price,
        max_prompt_chars=max_chars,
        context_tokens=context,
        context_share=round((size.tokens + IMAGE_TOKENS) / context, 4) if context else None,
        misfit=tokens.misfit(size, window),
        monthly=[
            Monthly(images=images, microusd=None if price is None else price * images)
            for images in IMAGES_A_MONTH
        ],
    )


def _listed(model: str) -> int | None:
    return prices.PRICES[model].microusd if model in prices.PRICES else None
