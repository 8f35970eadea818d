"""
Looks into a reply for what its dialect's reader had no use for: a probe tells it to people; pure.

Nothing found here is believed, and all of it may be shown on a terminal.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pybase64

from service.edits import Reply, reading
from service.errors import InputRefused
from service.pictures import headers

_TOLD_CHARACTERS: Final = 300
_SEARCHED_CHARACTERS: Final = 64 * 1024
# More than any answer has; comparing a million with the prompt would take minutes.
_MAX_STRINGS: Final = 10_000
_REQUEST_ID: Final = re.compile(r"(?:request|call|trace|correlation)-?id$|^cf-ray$")
_IMAGE_KEYS: Final = ("b64_json", "data", "image", "image_url", "result", "url")
_DATA_URL: Final = re.compile(r"data:image/[a-z+.-]+;base64,([A-Za-z0-9+/=_-]+)")
_HOSTED: Final = re.compile(r"\A\s*https?://|\]\(https?://")
_URL_SAFE: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Looked:
    """
    What a reply holds, wherever it stands.

    ``image`` is the last one, empty if what should be one is none; ``hosted``: an address stands
    in its place; ``echo``: the prompt came back; ``words`` are the beginning of the body.
    """

    image: bytes | None
    hosted: bool
    echo: bool
    words: str
    message: str | None
    model: str | None
    request_ids: dict[str, str]


def look(reply: Reply, prompt: str) -> Looked:
    """Look into a reply of any dialect."""
    document = _document(reply)
    strings = list(islice(_strings(document), _MAX_STRINGS))
    error = document.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    model = document.get("modelVersion") or document.get("model")
    return Looked(
        image=_last_image(strings),
        hosted=any(_HOSTED.search(value) for _, value in strings),
        # What has no blanks is no text; a picture's base64 would be compared for nothing.
        echo=any(" " in value and reading.is_echo(value, prompt) for _, value in strings),
        words=_beginning(reply),
        message=message if isinstance(message, str) else None,
        model=model if isinstance(model, str) else None,
        request_ids={
            name: value for name, value in reply.headers.items() if _REQUEST_ID.search(name)
        },
    )


def told(text: str | None, key: str | None) -> str | None:
    """Make what an upstream said fit to be shown: without the key and controls, and short."""
    if text is None:
        return None
    for secret in {key, json.dumps(key)[1:-1]} if key else ():
        text = text.replace(secret, "***")
    shown = "".join(character if character.isprintable() else " " for character in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= _TOLD_CHARACTERS else f"{shown[: _TOLD_CHARACTERS - 1]}…"


def _beginning(reply: Reply) -> str:
    return reply.body[:_SEARCHED_CHARACTERS].decode("utf-8", "replace")


def _document(reply: Reply) -> dict[str, Any]:
    try:
        document = json.loads(reply.body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _strings(document: object) -> Iterator[tuple[str, str]]:
    """Give every string with the key it stands under, without thoughts; in order."""
    # A stack of our own, since a body may be nested as deeply as its parser bears.
    left: list[tuple[str, object]] = [("", document)]
    while left:
        key, value = left.pop()
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, list):
            left += [(key, item) for item in reversed(value)]
        elif isinstance(value, dict) and value.get("thought") is not True:
            left += reversed(value.items())


def _last_image(strings: list[tuple[str, str]]) -> bytes | None:
    found = [_decoded(encoded) for key, value in strings for encoded in _encoded(key, value)]
    return next((image for image in reversed(found) if _is_picture(image)), b"" if found else None)


def _encoded(key: str, value: str) -> list[str]:
    """Give what should be base64 of a picture: data URLs anywhere, bare only where images stand."""
    if found := _DATA_URL.findall(value):
        return found
    return [value] if key in _IMAGE_KEYS and value and not _HOSTED.search(value) else []


def _decoded(encoded: str) -> bytes:
    try:
        return pybase64.b64decode(encoded.translate(_URL_SAFE), validate=True)
    except ValueError:
        return b""


def _is_picture(image: bytes) -> bool:
    try:
        headers.read(image)
    except InputRefused:
        return False
    return True
