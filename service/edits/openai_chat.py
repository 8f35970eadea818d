"""
The dialect ``openai-chat``: JSON ``POST {base}/chat/completions`` with text and image modalities.

Where the image stands differs by gateway; each place is noted where it is read.  Source: the
public OpenAI specification, OpenRouter's and LiteLLM's pages on image generation.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from service.edits import Answer, Edit, Reply, Request, Upstream, bodies, repairing, replies
from service.edits.replies import Hosted

_TASK = "This is the picture. Return the edited picture and the JSON object."
_DATA_URL = re.compile(r"data:image/[a-z+.-]+;base64,[A-Za-z0-9+/=_-]+", re.IGNORECASE)
# No bracket may hold another one, and a title is set apart, which keeps the search linear.
_HOSTED_IMAGE = re.compile(r"!\[[^\[\]]*\]\((https?://[^()\s]+)(?:\s[^()]*)?\)", re.IGNORECASE)
# Gateways that have no field for thoughts write them before the answer; anchored, it is linear.
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_TEXT_TYPES = (None, "text", "output_text")
_THOUGHT_TYPES = ("thinking", "reasoning", "redacted_thinking")
_IMAGE_KEYS = ("image_url", "url", "b64_json", "image", "source", "data", "result")
_NESTING = 3
# end_turn and eos are what gateways hand through from other models.
_FINISHED = ("", "stop", "end_turn", "eos")

# What follows from another finish_reason; an unknown one is no result.
STOPS: Final[Mapping[str, str]] = {
    "content_filter": "refused",
    "safety": "refused",
    "refusal": "refused",
    "length": "malformed_answer",
    "max_tokens": "malformed_answer",
    # Source: https://openrouter.ai/docs/api/reference/overview
    "error": "upstream_error",
}


def build(edit: Edit, upstream: Upstream) -> Request:
    """Build the request: the whole ruleset as the system message, then the picture."""
    return _request(edit, upstream, ["text", "image"], _TASK)


def build_description(edit: Edit, upstream: Upstream, faults: Sequence[str]) -> Request:
    """Build the request for the description alone; ``faults`` say why the last one was refused."""
    return _request(edit, upstream, ["text"], repairing.task(faults))


def read(reply: Reply, prompt: str) -> Answer | Hosted:
    """
    Read the reply: the last image of the likeliest place that has one, and the text around it.

    Raises:
        AttemptFailed: With the outcome that the table knows.
    """
    answer = replies.opened(reply)
    choice = _choice(reply, answer)
    message = replies.mapping(choice.get("message"))
    said = replies.own_words(_text(message), prompt)
    _expect_finished(reply, choice, said, "no_image")
    return replies.both(reply, _images(message), said, _tokens(answer))


def read_description(reply: Reply, prompt: str) -> replies.Description:
    """Read the reply to ``build_description``; fails like ``read``, with or without an image."""
    answer = replies.opened(reply)
    choice = _choice(reply, answer)
    said = replies.own_words(_text(replies.mapping(choice.get("message"))), prompt)
    _expect_finished(reply, choice, said, "no_description")
    return replies.text_alone(reply, said, _tokens(answer))


def _request(edit: Edit, upstream: Upstream, modalities: list[str], task: str) -> Request:
    picture = f"data:{edit.mime};base64,{bodies.PLACE}"
    content = [
        {"type": "image_url", "image_url": {"url": picture}},
        {"type": "text", "text": task},
    ]
    body = {
        "model": upstream.model,
        "modalities": modalities,
        "messages": [
            {"role": "system", "content": edit.prompt},
            {"role": "user", "content": content},
        ],
    }
    key = {"Authorization": f"Bearer {upstream.key}"} if upstream.key else {}
    return Request(
        f"{upstream.url.rstrip('/')}/chat/completions",
        {"Content-Type": "application/json", **key},
        bodies.filled(body, edit.image),
    )


def _choice(reply: Reply, answer: dict[str, Any]) -> dict[str, Any]:
    choice = next(iter(replies.dicts(answer.get("choices"))), {})
    if choice.get("error"):
        raise replies.error_inside(reply, choice["error"])
    return choice


def _expect_finished(reply: Reply, choice: dict[str, Any], said: str | None, unknown: str) -> None:
    """Raise AttemptFailed for a refusal or an answer that stopped, images in it or not."""
    refusal = _refusal(replies.mapping(choice.get("message")))
    if refusal:
        raise replies.stopped(reply, "refused", "a refusal", refusal)
    reason = replies.word(choice.get("finish_reason")).lower()
    if reason not in _FINISHED:
        raise replies.stopped(reply, STOPS.get(reason, unknown), reason, said)


def _refusal(message: dict[str, Any]) -> str | None:
    parts = replies.dicts(message.get("content"))
    for value in (message.get("refusal"), *(part.get("refusal") for part in parts)):
        if value:
            return value if isinstance(value, str) else "a refusal without words"
    return None


def _text(message: dict[str, Any]) -> str:
    """Give what was said without data URLs; ``reasoning_content`` holds thoughts, never used."""
    content = message.get("content")
    if not isinstance(content, str):
        content = "".join(_part_texts(content))
    # An image in the text leaves the empty brackets of its markdown, which are dropped with it.
    return _DATA_URL.sub("", _THOUGHTS.sub("", content))


def _part_texts(content: object) -> Iterator[str]:
    for part in replies.dicts(content):
        text = part.get("text")
        if part.get("type") in _TEXT_TYPES and not part.get("thought") and isinstance(text, str):
            yield text


def _images(message: dict[str, Any]) -> list[str]:
    """Give the images of the first place that has any, in order."""
    content = message.get("content")
    places = (
        message.get("images"),  # OpenRouter, Vercel, LiteLLM
        replies.dicts(content),  # parts, some gateways
        [message.get("image")],  # LiteLLM before 1.77
    )
    for place in places:
        if found := list(_addresses(place)):
            return found
    text = content if isinstance(content, str) else "".join(_part_texts(content))
    text = _THOUGHTS.sub("", text)
    # Inside the text: by new-api and old LiteLLM whole, by crazyrouter as an address.
    return _DATA_URL.findall(text) or _HOSTED_IMAGE.findall(text)


def _addresses(place: object) -> Iterator[str]:
    for part in place if isinstance(place, list) else []:
        if isinstance(part, dict) and _is_no_image(part):
            continue
        address = _address(part, _NESTING)
        if address:
            yield address


def _is_no_image(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    return bool(part.get("thought")) or kind in ("text", "output_text", *_THOUGHT_TYPES)


def _address(value: object, nesting: int) -> str | None:
    """Find the string in ``"…"``, ``{"url": "…"}``, ``{"image_url": {"url": "…"}}`` and alike."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and nesting:
        found = (_address(value.get(key), nesting - 1) for key in _IMAGE_KEYS)
        return next((address for address in found if address), None)
    return None


def _tokens(answer: dict[str, Any]) -> replies.Tokens:
    usage = replies.mapping(answer.get("usage"))
    details = replies.mapping(usage.get("prompt_tokens_details"))
    return replies.Tokens(
        replies.total(usage, "prompt_tokens"),
        replies.total(usage, "completion_tokens"),
        replies.total(details, "cached_tokens"),
    )
