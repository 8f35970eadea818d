"""
The dialect ``claude-messages``: JSON ``POST {base}/messages``, for the description alone.

No image block exists in its answers, so it repairs a description and never makes an edit.

Source: the Messages API as anthropic 2.12.0 types and sends it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from service.edits import Edit, Reply, Request, Upstream, bodies, repairing, replies

VERSION: Final = "2026-10-21"
# Above any description that people would read; a longer one is cut and refused.
MAX_TOKENS: Final = 8192
_FINISHED = ("", "end_turn", "stop_sequence")

# What follows from another stop_reason; an unknown one is no_description.
STOPS: Final[Mapping[str, str]] = {
    "refusal": "refused",
    "max_tokens": "malformed_answer",
    "pause_turn": "malformed_answer",
    "tool_use": "malformed_answer",
    # The prompt is too long for this model, today and tomorrow.
    "model_context_window_exceeded": "rejected",
}


def build_description(edit: Edit, upstream: Upstream, faults: Sequence[str]) -> Request:
    """Build the request for the description alone; ``faults`` say why the last one was refused."""
    # The API compares the declared type with the bytes and answers 400 if they differ.
    source = {
        "type": "base64",
        "media_type": edit.mime,
        "data": bodies.PLACE,
    }
    content = [
        {"type": "image", "source": source},
        {"type": "text", "text": repairing.task(faults)},
    ]
    body = {
        "model": upstream.model,
        "max_tokens": MAX_TOKENS,
        "system": edit.prompt,
        "messages": [{"role": "user", "content": content}],
    }
    headers = {"Content-Type": "application/json", "anthropic-version": VERSION}
    if upstream.key:
        # The vendor's gateway and newer clients use the first, other gateways know the second.
        headers |= {"Authorization": f"Bearer {upstream.key}", "x-api-key": upstream.key}
    return Request(
        f"{upstream.url.rstrip('/')}/messages",
        headers,
        bodies.filled(body, edit.image),
    )


def read_description(reply: Reply, prompt: str) -> replies.Description:
    """
    Read the reply: all text blocks in order, thinking left out.

    Raises:
        AttemptFailed: With the outcome that the table knows; 529 (overloaded) is upstream_error.
    """
    answer = replies.opened(reply)
    blocks = [block for block in replies.dicts(answer.get("content")) if _is_text(block)]
    said = replies.own_words("".join(block["text"] for block in blocks), prompt)
    reason = replies.word(answer.get("stop_reason")).lower()
    if reason not in _FINISHED:
        raise replies.stopped(reply, STOPS.get(reason, "no_description"), reason, said)
    return replies.text_alone(reply, said, _tokens(answer))


def _is_text(block: dict[str, Any]) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def _tokens(answer: dict[str, Any]) -> replies.Tokens:
    """Count what was read from or written to the cache with the input that it is part of."""
    usage = replies.mapping(answer.get("usage"))
    cached = ("cache_creation_input_tokens", "cache_read_input_tokens")
    return replies.Tokens(
        replies.total(usage, "input_tokens", *cached),
        replies.total(usage, "output_tokens"),
        replies.total(usage, "cache_read_input_tokens"),
    )
