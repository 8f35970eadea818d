"""What a probe's call showed, and what to do about it: one table, held by a test; pure."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from service.edits import Upstream
from service.prices import MICRO

# Which models to try where the configured one is gone.  Source: the deprecations page of the
# Gemini API (ai.google.dev/gemini-api/docs/deprecations) and the vendor's list, November 2026.
CANDIDATES: Final = (
    "gemini-3.1-flash-image",
    "gemini-nano-banana-2.1",
    "gemini-3-pro-image-preview",
)

Sign = Literal["echo", "hosted", "not_json", "text", "unchanged", "unreadable"]


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What one call showed.

    ``outcome`` is a name of ``outcomes.TABLE``; ``words`` is the beginning of the answer's body;
    ``signs`` are what was looked for in it.
    """

    outcome: str
    status: int | None = None
    words: str = ""
    signs: frozenset[Sign] = frozenset()


@dataclass(frozen=True, slots=True)
class Advice:
    """A row: what must have been seen (empty means anything), and the sentence that follows."""

    fact: str
    sentence: str
    outcomes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    sign: Sign | None = None
    words: str = ""
    works: bool = False

    def fits(self, facts: Facts) -> bool:
        """Tell whether all that this row asks for was seen."""
        return (
            (not self.outcomes or facts.outcome in self.outcomes)
            and (not self.statuses or facts.status in self.statuses)
            and (self.sign is None or self.sign in facts.signs)
            and re.search(self.words, facts.words, re.IGNORECASE) is not None
        )


_ERRORS: Final = ("unauthorised", "rejected", "upstream_error")
_CANDIDATES: Final = (
    "Set MODERATION_UPSTREAM_MODEL to one that is (candidates: {candidates}), and its price."
)
_OTHER: Final = "Try dialect {other}: MODERATION_UPSTREAM_DIALECT={other}."

# The first row that fits counts, so what is told by its words stands before what is not.
TABLE: Final[tuple[Advice, ...]] = (
    Advice(
        "unchanged",
        "Image and valid description came back, but the picture is the one that was sent and the "
        "ruleset asked for an edit. The wire works; do not rely on this model's edits.",
        ("described",),
        sign="unchanged",
        works=True,
    ),
    Advice("works", "Works: image and valid description came back.", ("described",), works=True),
    Advice(
        "no_credit",
        "The account has no credit or quota left; the key and the route are known.",
        ("rate_limited", *_ERRORS),
        words=r"insufficient.{0,10}(?:quota|credit|balance|funds)|payment required"
        r"|credit balance|token_quota_failed",
    ),
    Advice(
        "no_credit",
        "The account must be paid for first; the key and the route are known.",
        _ERRORS,
        (402,),
    ),
    Advice(
        "wrong_key",
        "The upstream refuses the key (HTTP {status}): check MODERATION_UPSTREAM_KEY, and that "
        "this key may use model {model}.",
        ("unauthorised",),
        (401, 403),
    ),
    Advice(
        "wrong_key",
        "The upstream refuses the key: check MODERATION_UPSTREAM_KEY.",
        _ERRORS,
        words=r"API_KEY_INVALID|invalid_api_key|(?:incorrect|invalid) API key"
        r"|API key (?:not valid|expired)",
    ),
    Advice(
        "response_format_refused",
        "The endpoint refuses response_format, as GPT image models do: set "
        "MODERATION_UPSTREAM_RESPONSE_FORMAT=false.",
        ("rejected",),
        words="response_format",
    ),
    Advice(
        "model_retired",
        f"Model {{model}} is not served any more. {_CANDIDATES}",
        _ERRORS,
        words=r"not found for API version|no longer (?:available|supported|served)"
        r"|been (?:retired|deprecated|shut ?down|discontinued|decommissioned)",
    ),
    Advice(
        "native_only",
        "Dialect {dialect} does not reach model {model} here: gateways serve image models by some "
        f"routes only, often by the native one. {_OTHER}",
        _ERRORS,
        words=r"not supported model|only imagen models|natively? only|-native"
        r"|unhandled generated data mime type|do not send .{0,60}/images"
        r"|not support(?:ed)? .{0,40}(?:endpoint|route|images?/|image (?:edit|gener)|modalit)"
        r"|(?:endpoint|route) .{0,40}not support|not implemented|convert_request_failed",
    ),
    Advice(
        "model_unknown",
        f"Model {{model}} is not known here, or not to this key. {_CANDIDATES}",
        _ERRORS,
        words=r"model_not_found|unknown model|invalid model|no available channel"
        # A path such as /models/x in a message about the route is no word about the model.
        r"|model ['\"`].{0,160}not (?:exist|found)"
        r"|model [\w.:-]+ (?:is |was |does )?not (?:exist|found)",
    ),
    Advice(
        "no_route",
        "There is no such route (HTTP {status}): the address is wrong (a base URL usually ends in "
        f"/v1), or this host does not speak dialect {{dialect}} for this model. {_OTHER}",
        _ERRORS,
        (404, 405, 501),
    ),
    Advice(
        "rate_limited",
        "The upstream limits the rate of calls: wait, then probe again; nothing else was shown.",
        ("rate_limited",),
    ),
    Advice(
        "account_refused",
        "The upstream serves nothing to this account, or not in this country: ask its operator.",
        ("unauthorised",),
    ),
    Advice(
        "refused",
        "The upstream refused a flat picture with a black square, so its own moderation or the "
        "model is at fault, not a picture of yours: ask its operator, or try another model.",
        ("refused",),
    ),
    Advice(
        "redirected",
        "The address answers with a redirect, which is not followed, since it would carry the key "
        "elsewhere: set MODERATION_UPSTREAM_URL to where it leads (often https instead of http).",
        ("rejected",),
        (301, 302, 303, 307, 308),
    ),
    Advice(
        "rejected",
        "The upstream refuses the request (HTTP {status}): see what it said. The model may want "
        f"another dialect. {_OTHER}",
        ("rejected",),
    ),
    Advice(
        "prompt_echoed",
        "The text that came back is the prompt that was sent: this gateway drops the model's own "
        f"text on this route. {_OTHER}",
        ("no_description", "no_image"),
        sign="echo",
    ),
    Advice(
        "text_dropped",
        f"The image came back without a text: the gateway drops it on this route. {_OTHER}",
        ("no_description",),
    ),
    Advice(
        "image_hosted",
        "An address came back in place of the image's bytes, and nothing could be fetched from it: "
        "set MODERATION_UPSTREAM_RESPONSE_FORMAT=true if it is false, or name its host in the "
        "upstream's answer_hosts; else try dialect {other}.",
        ("no_image",),
        sign="hosted",
    ),
    Advice(
        "image_unreadable",
        f"Bytes came back that cannot be decoded as a picture. {_OTHER}",
        ("no_image",),
        sign="unreadable",
    ),
    Advice(
        "image_dropped",
        "A text came back without an image: model {model} makes no images, or the gateway drops "
        f"them on this route. {_OTHER}",
        ("no_image",),
        sign="text",
    ),
    Advice(
        "empty",
        "The upstream answered 200 with neither image nor text, which is how some gateways hide a "
        f"refusal. {_OTHER}",
        ("no_image",),
    ),
    Advice(
        "not_json",
        "Image and text came back, but the text is not one JSON object: model {model} does not do "
        "as the prompt asks; try another one.",
        ("invalid_description",),
        sign="not_json",
    ),
    Advice(
        "schema_missed",
        "Image and JSON came back, but the JSON does not fit the description schema: model "
        "{model} does not do as the prompt asks; try another one.",
        ("invalid_description",),
    ),
    Advice(
        "upstream_error",
        "The upstream failed (HTTP {status}): probe again later; if it stays so, the route may not "
        f"serve this model. {_OTHER}",
        ("upstream_error",),
    ),
    Advice(
        "not_an_api",
        "The answer is no answer of an edits API (a web page, or half a document): check "
        "MODERATION_UPSTREAM_URL; a base URL usually ends in /v1.",
        ("malformed_answer",),
    ),
    Advice(
        "timed_out",
        "No whole answer came within {timeout_s:g} s; image models take 12 to 25 s, and more when "
        "busy: raise MODERATION_UPSTREAM_TIMEOUT_S, or probe again later. The call may be billed.",
        ("timeout",),
    ),
    Advice(
        "cut_off",
        "The connection broke before the answer was whole: check that MODERATION_UPSTREAM_URL "
        "speaks HTTP, and any proxy between. The call may be billed.",
        ("cut_off",),
    ),
    Advice(
        "unreachable",
        "Nothing answers at {url}: check MODERATION_UPSTREAM_URL, name service and firewall. "
        "Nothing was sent.",
        ("unreachable",),
    ),
    Advice("unknown", "The call ended as {outcome} (HTTP {status}), which says no more."),
)


def advice(facts: Facts) -> Advice:
    """Give the first row that fits; the last one fits everything."""
    return next(row for row in TABLE if row.fits(facts))


def sentence(row: Advice, facts: Facts, upstream: Upstream) -> str:
    """Fill in a row's sentence."""
    return row.sentence.format(
        candidates=", ".join(name for name in CANDIDATES if name != upstream.model),
        dialect=upstream.dialect,
        model=upstream.model,
        other="gemini" if upstream.dialect != "gemini" else "openai-chat",
        outcome=facts.outcome,
        status=facts.status,
        timeout_s=upstream.timeout_s,
        url=shown_url(upstream.url),
    )


def shown_url(url: str) -> str:
    """Give an address without what may be secret in it: userinfo and query."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"***@{host}" if at and userinfo else host, query="").geturl()


def settings(upstream: Upstream) -> dict[str, str | float | bool]:
    """Give the settings of an upstream that works, by their names without a prefix; no key."""
    found: dict[str, str | float | bool] = {
        "url": shown_url(upstream.url),
        "dialect": upstream.dialect,
        "model": upstream.model,
        "price_usd": upstream.price_microusd / MICRO,
    }
    if upstream.dialect == "openai-images":
        found["response_format"] = upstream.response_format
    return found
