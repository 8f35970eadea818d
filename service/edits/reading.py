"""Tolerant reading of JSON answers: where gateways hide the text, which image is the final one."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

# A picture inside the text is not part of what the model says.
# Neither bracket may hold another one, which keeps the search linear.
_EMBEDDED_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)|data:image/[a-z+.-]+;base64,[A-Za-z0-9+/=]+")
_TEXT_KEYS = ("revised_prompt", "text", "content", "description")
_ECHO_SHARE = 0.9
_PIECE = 6  # words
_CANDIDATES = 50
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
    for text in islice(texts(answer), _CANDIDATES):
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
    said, asked = _pieces(text), _prompt_pieces(prompt)
    return max(_share_found(said, asked), _share_found(asked, said)) > _ECHO_SHARE


def _pieces(text: str) -> set[str]:
    """Cut a text into its runs of words, so that comparing two texts takes linear time."""
    words = text.split()
    last = max(1, len(words) - _PIECE + 1)
    return {" ".join(words[at : at + _PIECE]) for at in range(last)}


@lru_cache(maxsize=8)  # One prompt is asked with every picture of a version.
def _prompt_pieces(prompt: str) -> set[str]:
    return _pieces(prompt)


def _share_found(pieces: set[str], others: set[str]) -> float:
    """Tell which share of a text's pieces another text has too."""
    return len(pieces & others) / len(pieces)


def _strings(holder: dict[str, Any]) -> Iterator[str]:
    for key in _TEXT_KEYS:
        value = holder.get(key)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            parts = [part.get("text") for part in value if isinstance(part, dict)]
            yield "".join(part for part in parts if isinstance(part, str))
