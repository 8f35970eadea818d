"""
What the JSON dialects share in reading a reply: its status, its error, its counts, its base64.

A reply is a good one only if nothing in it says otherwise; what is unknown is no result.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import pybase64

from service.edits import Answer, AttemptFailed, Reply, outcomes, reading

# Gateways wrap the code and leave the original JSON inside error.message (LiteLLM), so the words
# are looked for in the whole body.  OpenRouter says "flagged" with a 403, which must not be taken
# for a bad key, or one picture could pause all calls.
# Source: https://openrouter.ai/docs/api/reference/errors-and-debugging
_REFUSAL = re.compile(
    r"moderation_blocked|content_policy_violation|image_generation_user_error|prompt_blocked"
    r"|content_filter|PROHIBITED_CONTENT|IMAGE_SAFETY|blocked by .{0,40}safety"
    r"|input was flagged|flagged_input",
    re.IGNORECASE,
)
# Google answers 400 to a bad key and to a key of a country that it does not serve.
_KEY_REFUSED = re.compile(
    r"API_KEY_INVALID|API key not valid|API key expired|User location is not supported"
)
# OpenAI says with a 429 that the account has nothing left to spend; no waiting helps there.
# Source: https://platform.openai.com/docs/guides/error-codes
_NO_CREDIT = re.compile(r"insufficient_quota|billing_hard_limit_reached")
# Starting at the word keeps the search linear, however many backslashes an answer is made of.
_RETRY_INFO = re.compile(r'retryDelay\\*"\s*:\s*\\*"(\d{1,9}(?:\.\d{1,9})?)s')
_DATA_URL = re.compile(r"data:[a-z]+/[a-z0-9+.-]+;base64,", re.ASCII | re.IGNORECASE)
_KEPT_CHARACTERS = 4000
# An error says what it is at its beginning; searching 64 MB for words would hold up the process.
_SEARCHED_CHARACTERS = 64 * 1024
# Counted roughly, before parsing: three bytes such as "{}," take up seventy once they are parsed.
# A body of fewer bytes cannot have as many, and counting takes as long as parsing.
_MAX_VALUES = 500_000
_HOSTED = re.compile(r"https?://", re.IGNORECASE)
# Of OpenAI and the gateways like it, Anthropic, new-api, LiteLLM, Azure, Google and Cloudflare.
_REQUEST_IDS = (
    "x-request-id",
    "request-id",
    "x-oneapi-request-id",
    "x-litellm-call-id",
    "apim-request-id",
    "x-goog-request-id",
    "cf-ray",
)
_ID_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the upstream counted; None where it did not say.  ``cached`` is a part of ``input``."""

    input: int | None
    output: int | None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """A reply that was asked for the text alone; the text is not trusted yet."""

    text: str
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Hosted:
    """A reply that gives its image by an address, which nobody has looked at yet."""

    address: str
    said: str | None
    tokens: Tokens


def opened(reply: Reply) -> dict[str, Any]:
    """
    Give the JSON object of a reply that is no error.

    Raises:
        AttemptFailed: Another status than 200, no JSON object, or an error inside a 200.
    """
    if reply.status != 200:
        raise _failure(reply, _outcome(reply.status, _beginning(reply)), f"HTTP {reply.status}")
    values = len(reply.body)
    if values > _MAX_VALUES:
        values = sum(map(reply.body.count, (b"[", b"{", b",")))
    if values > _MAX_VALUES:
        raise _failure(reply, "malformed_answer", f"200 with {values} values, not {_MAX_VALUES}")
    try:
        answer = json.loads(reply.body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise _failure(reply, "malformed_answer", f"200 without JSON: {error}") from error
    if not isinstance(answer, dict):
        raise _failure(reply, "malformed_answer", "200 without a JSON object")
    if answer.get("error"):
        raise error_inside(reply, answer["error"])
    return answer


def error_inside(reply: Reply, error: object) -> AttemptFailed:
    """
    Make the failure of an error that came with status 200.

    Source: OpenRouter answers 200 with ``error.code`` once the model has begun.
    """
    text = _beginning(reply)
    told = _told_status(error)
    unknown = "refused" if refuses(text) else "upstream_error"
    return _failure(reply, _outcome(told, text) if told else unknown, "an error in a 200")


def stopped(reply: Reply, outcome: str, reason: str, said: str | None) -> AttemptFailed:
    """Make the failure of a model that stopped for a reason; what it said is kept for people."""
    kept = said[:_KEPT_CHARACTERS] if said else _kept(reply)
    message = f"the model stopped: {reason[:100]}"
    return AttemptFailed(outcome, message, status=reply.status, text=kept)


def both(reply: Reply, images: Sequence[str], said: str | None, tokens: Tokens) -> Answer | Hosted:
    """
    Put the last image and the text together; drafts come before the final image.

    Args:
        images: Base64, data URLs or addresses, in the order of the answer.

    Returns:
        The answer, or where its image is.

    Raises:
        AttemptFailed: One of the two is missing, or the last image is not base64.
    """
    if not images:
        outcome = "refused" if refuses(_beginning(reply)) else "no_image"
        text = said or _kept(reply)
        raise AttemptFailed(outcome, "the answer has no image", status=reply.status, text=text)
    if _HOSTED.match(images[-1]):
        return Hosted(images[-1], said, tokens)
    try:
        image = _decoded(images[-1])
    except ValueError as error:
        raise AttemptFailed("no_image", str(error), status=reply.status, text=said) from error
    return answer(reply, image, said, tokens)


def answer(reply: Reply, image: bytes, said: str | None, tokens: Tokens) -> Answer:
    """Make the answer; without a text it is AttemptFailed ``no_description`` with the image."""
    try:
        text = text_alone(reply, said, tokens).text
    except AttemptFailed as failure:
        failure.image = image
        raise
    return Answer(image, text, tokens.input, tokens.output, tokens.cached)


def text_alone(reply: Reply, said: str | None, tokens: Tokens) -> Description:
    """Give the text, or raise AttemptFailed ``no_description``."""
    if said is None:
        # An echo is no text, and people should see that it was one.
        raise AttemptFailed(
            "no_description", "the answer has no text", status=reply.status, text=_kept(reply)
        )
    return Description(said, tokens)


def request_id(reply: Reply) -> str | None:
    """Give the id by which an upstream finds a call again: printable ASCII, at most 200 signs."""
    for name in _REQUEST_IDS:
        printable = re.sub(r"[^ -~]", "", reply.headers.get(name, "")).strip()
        if printable:
            return printable[:_ID_CHARACTERS]
    return None


def own_words(text: str, prompt: str) -> str | None:
    """Give what the model said without pictures in it; None if nothing or the prompt's echo."""
    return reading.description_text({"text": text}, prompt)


def refuses(text: str) -> bool:
    """Tell whether the beginning of a body has a word that gateways use for a refusal."""
    return _REFUSAL.search(text, 0, _SEARCHED_CHARACTERS) is not None


def dicts(value: object) -> list[dict[str, Any]]:
    """Give the objects of a list that may be null, absent or anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: object) -> dict[str, Any]:
    """Give an object that may be null, absent or anything else."""
    return value if isinstance(value, dict) else {}


def word(value: object) -> str:
    """Give a reason to stop: empty if it is absent, one that no table knows if it is no string."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"a {type(value).__name__} instead of a word"


def total(usage: Mapping[str, Any], *names: str) -> int | None:
    """Add up those counts that are there and fit the ledger; None if none is."""
    counts = [value for value in map(usage.get, names) if type(value) is int and value >= 0]
    return sum(counts) if counts and sum(counts) < 2**31 else None


def _outcome(status: int, text: str) -> str:
    if status == 429:
        return "unauthorised" if _NO_CREDIT.search(text) else "rate_limited"
    if status in (408, 409, 425) or status >= 500:
        return "upstream_error"
    if status == 402 or _KEY_REFUSED.search(text):
        return "unauthorised"
    if refuses(text):
        return "refused"
    if status in (401, 403, 404):
        return "unauthorised"
    return "rejected"


def _told_status(error: object) -> int | None:
    """Read ``error.code`` where it is an HTTP status; LiteLLM sends it as a string."""
    code = str(mapping(error).get("code"))
    return int(code) if re.fullmatch(r"[45][0-9][0-9]", code) else None


def _failure(reply: Reply, outcome: str, message: str) -> AttemptFailed:
    return AttemptFailed(
        outcome,
        message,
        status=reply.status,
        text=_kept(reply),
        retry_after_s=_retry_after(reply.headers, _beginning(reply)),
    )


def _beginning(reply: Reply) -> str:
    return reply.body[:_SEARCHED_CHARACTERS].decode("utf-8", "replace")


def _kept(reply: Reply) -> str:
    return _beginning(reply)[:_KEPT_CHARACTERS]


def _decoded(encoded: str) -> bytes:
    bare = _DATA_URL.sub("", encoded, count=1) if encoded.startswith("data:") else encoded
    try:
        # Google's own client writes base64 with the alphabet of URLs, and gateways use it.
        return pybase64.b64decode(bare.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError as error:
        raise ValueError(f"the image is not base64: {error}") from error


def _retry_after(headers: Mapping[str, str], text: str) -> float | None:
    """
    Find how long to wait: in headers (milliseconds, seconds, LiteLLM's copy) or in the body.

    Source: Google's RetryInfo is in the body only; LiteLLM moves the header to llm_provider-*.
    """
    for name, unit in (
        ("retry-after-ms", 1000.0),
        ("retry-after", 1.0),
        ("llm_provider-retry-after", 1.0),
    ):
        seconds = _seconds(headers.get(name, ""), headers.get("date", ""))
        if seconds is not None:
            return outcomes.clamped_retry_after(seconds / unit)
    found = _RETRY_INFO.search(text)
    return outcomes.clamped_retry_after(float(found[1])) if found else None


def _seconds(value: str, date: str) -> float | None:
    """Read a number, or an HTTP date by the upstream's own clock, since ours may differ."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            return (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds()
        except (ValueError, TypeError):  # The one with a zone and the other without is a TypeError.
            return None
    return None if math.isnan(seconds) else seconds
