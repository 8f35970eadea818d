"""Tolerant reading of JSON answers: where gateways hide the text, which image is the final one."""

import re
from collections.abc import Iterator
from typing import Any

# A picture inside the text is not part of what the model says.
# Neither bracket may hold another one, which keeps the search linear.
_EMBEDDED_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)|data:image/[a-z+.-]+;base64,[A-Za-z0-9+/=]+")
_TEXT_KEYS = ("revised_prompt", "text", "content", "description")
_ECHO_SHARE = 0.9
_PIECE = 40  # characters
# Beyond what a description may have, so that a text cut here is still refused for its length.
_LONGEST = 512 * 1024  # characters


def texts(answer: dict[str, Any]) -> Iterator[str]:
    """
    Give every string that may be the description, the likeliest first, thoughts left out.

    Source: the places seen in gateways are revised_prompt (new-api), and by precaution text,
    content and description in an item or on top, and a chat message.
    """
    for item in reversed(items(answer)):
        yield from _strings(item)
    yield from _strings(answer)
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        message = choice.get("message") if isinstance(choice, dict) else None
        if isinstance(message, dict):
            yield from _strings(message)


def items(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the data items that are no thoughts; ``data`` may be absent, null or anything."""
    data = answer.get("data")
    found = data if isinstance(data, list) else []
    return [item for item in found if isinstance(item, dict) and item.get("thought") is not True]


def description_text(answer: dict[str, Any], prompt: str) -> str | None:
    """Choose the text that is the model's: not empty, and not the prompt echoed back."""
    for text in texts(answer):
        said = _EMBEDDED_IMAGE.sub("", text).strip()[:_LONGEST]
        if said and not is_echo(said, prompt):
            return said
    return None


def is_echo(text: str, prompt: str) -> bool:
    """
    Tell whether a text is the prompt, a part of it, or the prompt with little around it.

    Some gateways answer with the request's prompt as revised_prompt; it holds the whole ruleset
    and a JSON schema, so it must never be taken for a description.
    """
    said, asked = " ".join(text.split()), " ".join(prompt.split())
    return max(_share_found(said, asked), _share_found(asked, said)) > _ECHO_SHARE


def _share_found(pieces_of: str, inside: str) -> float:
    """Tell which share of a text's pieces stands in another text."""
    pieces = [pieces_of[at : at + _PIECE] for at in range(0, len(pieces_of), _PIECE)]
    return sum(piece in inside for piece in pieces) / len(pieces)


def _strings(holder: dict[str, Any]) -> Iterator[str]:
    for key in _TEXT_KEYS:
        value = holder.get(key)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            parts = [part.get("text") for part in value if isinstance(part, dict)]
            yield "".join(part for part in parts if isinstance(part, str))
