"""Tokens: about how many a prompt has, and whether an upstream takes it beside the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# What one picture costs of the context of Gemini 3 image models, whatever its size.
# OpenAI limits the characters of the prompt alone, so a picture takes nothing from its limit.
# Source: Vertex AI model page of gemini-3.1-flash-image, 2026-11.
IMAGE_TOKENS: Final = 1_120


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a family of models, where that was read, and when."""

    value: int
    source: str
    date: str


# By the start of the model's name: the longest prompt in characters, and the most input in tokens.
MAX_PROMPT_CHARS: Final[Mapping[str, Limit]] = {
    "gpt-image-": Limit(32_000, "openai-openapi, CreateImageEditRequest.prompt", "2026-08"),
}
CONTEXT_TOKENS: Final[Mapping[str, Limit]] = {
    "gemini-3.1-flash-image": Limit(131_072, "Vertex AI, model page", "2026-11"),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How long a prompt is: in characters (Unicode code points) and, estimated, in tokens."""

    chars: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Window:
    """What an upstream takes in one call; where a limit is None, that known of its model counts."""

    upstream: str
    model: str
    max_prompt_chars: int | None = None
    context_tokens: int | None = None


def measure(prompt: str) -> Size:
    """
    Estimate a prompt's tokens, rather too many than too few; keep the result with the prompt.

    Three tokens for ten characters, a whole one for each digit, and one more for each UTF-8 byte
    of a character after its first.  Google says about four characters a token; other scripts and
    emoji take up to one a byte, digits one each.

    What o200k and cl100k count, as a part of the estimate: the shipped prompts 0.75 to 0.77, other
    English 0.66 to 0.85, the description schema 0.83, German 0.64 to 0.86, Chinese 0.30 to 0.48,
    emoji 0.56 to 0.86.  Languages of long words, such as Finnish, come to 0.89 with o200k and 1.16
    with cl100k; noise (base64, random letters, rows of punctuation) up to 2.

    Source: https://ai.google.dev/gemini-api/docs/tokens of 2026-11; no tokenizer of Gemini's image
    models is public.
    """
    digits = sum(map(prompt.count, "0123456789"))
    later_bytes = len(prompt.encode()) - len(prompt)
    others = -(-3 * (len(prompt) - digits) // 10)
    return Size(len(prompt), others + digits + later_bytes)


def misfit(size: Size, window: Window) -> str | None:
    """Say why an upstream does not take a prompt of this size beside a picture; None if it does."""
    chars, tokens = limits(window)
    if chars is not None and size.chars > chars:
        return (
            f"upstream {window.upstream} ({window.model}) takes a prompt of at most {chars}"
            f" characters; this one has {size.chars}"
        )
    if tokens is not None and size.tokens + IMAGE_TOKENS > tokens:
        return (
            f"upstream {window.upstream} ({window.model}) takes at most {tokens} tokens; the"
            f" prompt has about {size.tokens} and the picture {IMAGE_TOKENS}"
        )
    return None


def limits(window: Window) -> tuple[int | None, int | None]:
    """
    Tell the longest prompt in characters and the most input in tokens that an upstream takes.

    A configured limit counts before that known of the model; a model without any takes all.
    """
    return (
        window.max_prompt_chars or _known(MAX_PROMPT_CHARS, window.model),
        window.context_tokens or _known(CONTEXT_TOKENS, window.model),
    )


def _known(limits: Mapping[str, Limit], model: str) -> int | None:
    """Look a model up by its family; gateways write an owner before the name (``google/…``)."""
    name = model.rpartition("/")[2]
    return next((one.value for family, one in limits.items() if name.startswith(family)), None)
