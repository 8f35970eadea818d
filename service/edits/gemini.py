"""
The dialect ``gemini``: JSON ``POST {base}/v1beta/models/{model}:generateContent``.

The base URL may end in ``/v1``, in ``/v1beta`` or in neither: ``https://host``, ``https://host/v1``
and ``https://host/v1beta`` are the same upstream, and a path before that (``/gateway/v1``) is kept.

Source: GenerateContentRequest and -Response of the Gemini API, as google-genai 3.4.0 types them.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from service.edits import Answer, Edit, Reply, Request, Upstream, bodies, replies
from service.edits.replies import Hosted

_TASK = "This is the picture. Return the edited picture and the JSON object."
_VERSION = re.compile(r"/v1(?:alpha|beta)?$")
# Unspecified is what the protocol's default value is called; it says as little as an absent one.
_FINISHED = ("", "STOP", "FINISH_REASON_UNSPECIFIED")
_NOT_BLOCKED = ("", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")

# What follows from a finishReason other than STOP; an unknown one is no_image.
STOPS: Final[Mapping[str, str]] = {
    "SAFETY": "refused",
    "RECITATION": "refused",
    "BLOCKLIST": "refused",
    "PROHIBITED_CONTENT": "refused",
    "SPII": "refused",
    "IMAGE_SAFETY": "refused",
    "IMAGE_PROHIBITED_CONTENT": "refused",
    "IMAGE_RECITATION": "refused",
    "MODEL_ARMOR": "refused",
    "ESCALATION": "refused",
    "LANGUAGE": "no_image",
    "OTHER": "no_image",
    "IMAGE_OTHER": "no_image",
    "NO_IMAGE": "no_image",
    # The model began and did not end: asking again may bring a whole answer.
    "MAX_TOKENS": "malformed_answer",
    "CONTINUATION": "malformed_answer",
    "MALFORMED_RESPONSE": "malformed_answer",
    "MALFORMED_FUNCTION_CALL": "malformed_answer",
    "UNEXPECTED_TOOL_CALL": "malformed_answer",
    "TOO_MANY_TOOL_CALLS": "malformed_answer",
    "MISSING_THOUGHT_SIGNATURE": "rejected",
    # Google has limited or disabled the account, which is no fault of this picture.
    "PUP_LIMITED_DISABLED": "unauthorised",
}
# What follows from a promptFeedback.blockReason; an unknown one is no_image.
BLOCKS: Final[Mapping[str, str]] = {
    "SAFETY": "refused",
    "OTHER": "refused",
    "BLOCKLIST": "refused",
    "PROHIBITED_CONTENT": "refused",
    "IMAGE_SAFETY": "refused",
    "MODEL_ARMOR": "refused",
    "JAILBREAK": "refused",
}


def build(edit: Edit, upstream: Upstream) -> Request:
    """
    Build the request: the ruleset first and byte for byte, so that prefix caches can work.

    No JSON mode and no schema: image models answer 400 to both.
    Source: https://github.com/google-gemini/cookbook/issues/1028
    """
    picture = {"mimeType": edit.mime, "data": bodies.PLACE}
    body = {
        "systemInstruction": {"parts": [{"text": edit.prompt}]},
        "contents": [{"role": "user", "parts": [{"inlineData": picture}, {"text": _TASK}]}],
        # With IMAGE alone the words of a refusal are lost.
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }
    # Google takes a Bearer for an OAuth token and refuses a key there, so this header stands alone.
    key = {"x-goog-api-key": upstream.key} if upstream.key else {}
    return Request(
        f"{_root(upstream.url)}/v1beta/models/{_model(upstream.model)}:generateContent",
        {"Content-Type": "application/json", **key},
        bodies.filled(body, edit.image),
    )


def read(reply: Reply, prompt: str) -> Answer | Hosted:
    """
    Read the reply: the first candidate's last image, and all its text that is no thought.

    Raises:
        AttemptFailed: With the outcome that the table knows.
    """
    answer = replies.opened(reply)
    candidate = next(iter(replies.dicts(answer.get("candidates"))), {})
    content = replies.mapping(candidate.get("content"))
    parts = [part for part in replies.dicts(content.get("parts")) if not part.get("thought")]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    said = replies.own_words("".join(texts), prompt)
    _expect_finished(reply, answer, candidate, said)
    images = [image for part in parts if (image := _image(part))]
    return replies.both(reply, images, said, _tokens(answer))


def openai_url(url: str) -> str:
    """Give the base URL of OpenAI's routes on a gateway whose Gemini routes are at this one."""
    return f"{_root(url)}/v1"


def _root(url: str) -> str:
    return _VERSION.sub("", url.rstrip("/"))


def _model(model: str) -> str:
    return quote(model.removeprefix("models/"), safe="")


def _expect_finished(
    reply: Reply, answer: dict[str, Any], candidate: dict[str, Any], said: str | None
) -> None:
    """Raise AttemptFailed for a blocked prompt or an answer that stopped, images in it or not."""
    feedback = replies.mapping(_field(answer, "promptFeedback"))
    blocked = replies.word(_field(feedback, "blockReason")).upper()
    if blocked not in _NOT_BLOCKED:
        words = _words(_field(feedback, "blockReasonMessage"), said)
        raise replies.stopped(reply, BLOCKS.get(blocked, "no_image"), blocked, words)
    reason = replies.word(_field(candidate, "finishReason")).upper()
    if reason not in _FINISHED:
        words = _words(_field(candidate, "finishMessage"), said)
        raise replies.stopped(reply, STOPS.get(reason, "no_image"), reason, words)


def _words(message: object, said: str | None) -> str | None:
    return message if isinstance(message, str) and message.strip() else said


def _image(part: dict[str, Any]) -> str | None:
    """Give a part's image, or the address of one; its label is often wrong and is not looked at."""
    inline = replies.mapping(_field(part, "inlineData")).get("data")
    encoded = inline or _field(replies.mapping(_field(part, "fileData")), "fileUri")
    return encoded if isinstance(encoded, str) else None


def _tokens(answer: dict[str, Any]) -> replies.Tokens:
    """
    Count thoughts with the output, as they are billed.

    Blocked replies repeat the thoughts as candidates, so this must be used on good answers only.
    """
    usage = replies.mapping(_field(answer, "usageMetadata"))
    counts = {_camel(name): count for name, count in usage.items()}
    return replies.Tokens(
        replies.total(counts, "promptTokenCount"),
        replies.total(counts, "candidatesTokenCount", "thoughtsTokenCount"),
        replies.total(counts, "cachedContentTokenCount"),
    )


def _field(holder: dict[str, Any], name: str) -> Any:
    """Look a field up in camelCase or, as some gateways and Google's own client write, snake."""
    value = holder.get(name)
    snake = re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", name)
    return holder.get(snake) if value is None else value


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)
