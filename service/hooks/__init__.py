"""
Upload hooks, all pure: what a sender's message says was uploaded, and whether the sender sent it.

A preset turns one message into results, one for each thing it tells of and in its order: an item
to fetch and moderate, something that is no new image, or a fault that leaves the others standing.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from service.errors import InputRefused

MAX_ITEMS = 1000
MAX_EXTERNAL_ID_CHARACTERS = 200
MAX_METADATA_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Message:
    """What a sender posted; names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]], body: bytes) -> "Message":
        """Take a request's headers; one sent twice is joined by a comma (RFC 9110, 5.3)."""
        joined: dict[str, str] = {}
        for written, value in headers:
            name = written.lower()
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return cls(joined, body)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty if none was sent."""
        return media_type(self.headers.get("content-type", ""))


@dataclass(frozen=True, slots=True)
class Link:
    """An image at an http(s) address; only the guarded fetcher may decide to open it."""

    url: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An image in a store that the platform has credentials for; the key is decoded."""

    bucket: str
    key: str
    version: str | None = None


Source: TypeAlias = Link | StoredObject | bytes


@dataclass(frozen=True, slots=True)
class Item:
    """
    One uploaded image.

    ``event_id`` is the same for every delivery of one event, and None where the sender gives
    nothing that tells two events apart.  ``external_id`` is None where the sender's name for the
    image is no text of 1 to 200 printable characters; the metadata has it in full.
    """

    source: Source
    external_id: str | None
    metadata: Mapping[str, Any]
    event_id: str | None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something that was understood and is no new image, such as a test or a deletion."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing of a message that cannot be used: where (a JSON Pointer or a header) and why."""

    place: str
    message: str


Result: TypeAlias = Item | Ignored | Fault


class HookRefused(InputRefused):
    """A message cannot be used; ``errors`` name every place that is missing or wrong, and why."""

    def __init__(self, *faults: Fault) -> None:
        errors: list[dict[str, object]] = [
            {"path": fault.place, "message": fault.message} for fault in faults
        ]
        super().__init__("hook_malformed", faults[0].message, errors=errors)
        self.faults = faults


def refused(place: str, message: str) -> HookRefused:
    """Refuse one place of a message."""
    return HookRefused(Fault(place, message))


def media_type(content_type: str) -> str:
    """Leave the parameters of a content type away: ``Image/PNG; q=1`` is ``image/png``."""
    return content_type.partition(";")[0].strip().lower()


def external_id(name: str) -> str | None:
    """Keep a sender's name for an image where it can be one of ours."""
    fits = 0 < len(name) <= MAX_EXTERNAL_ID_CHARACTERS and name.isprintable()
    return name if fits else None


def event_id(names: Iterable[str], tells_apart: Iterable[str | None]) -> str | None:
    """
    Name an event by what it is about, and by what tells it from others about the same.

    Returns:
        64 hexadecimal digits, or None if nothing tells events apart.
    """
    told = list(tells_apart)
    if not any(told):
        return None
    return hashlib.sha256(json.dumps([*names, *told]).encode()).hexdigest()
