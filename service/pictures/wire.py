"""
What the decode child and its parent say to each other, and the picture they hand over.

A message is a big-endian 32-bit length, that many bytes of JSON, then the payloads whose lengths
the JSON lists under ``payloads``.  The child says ``{"ready": true}`` once, then answers requests:

- ``{"thumbnail_side": int | null}`` (payload: the received file) with
  ``{"mime": str, "width": int, "height": int, "frames": int}`` (payloads: the picture and, if
  asked, its thumbnail);
- ``{"thumbnail_side": int, "confined": bool}`` (payloads: the canonical picture, the edited file,
  the regions as JSON, each ``[box_2d | null, edit, rule, [kind, ...]]``) with the fields above or
  none (payloads: the facts of the proof as JSON, the heat map or nothing, then the final picture
  and its thumbnail if there is one);
- any of them with ``{"unreadable": str}``, or ``{"out_of_memory": str}``, after which it exits.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

Answer = TypeVar("Answer")
# Of each finding: box_2d, the rule's edit and id, and what detectors still saw of it.
Place: TypeAlias = tuple[Sequence[int] | None, str, str, Sequence[str]]

PICTURES_PER_CHILD = 500
MAX_HEAD = 4_096
MAX_PAYLOAD = 64_000_000  # noise of 4,096 x 4,096 px is a JPEG of about 40 MB
LENGTH_BYTES = 4
MAX_SIDE = 4_096  # pixels of a canonical picture
SHEET_FRAMES = 16  # most frames that a canonical picture shows

VERDICTS = ("proven", "changed_outside", "not_redacted", "other_picture")
MAX_PAYLOADS = 4

_MAX_FACTS = 1_000_000
_FIELDS = ("mime", "width", "height", "frames")
_MIMES = ("image/png", "image/jpeg")


class Garbled(ValueError):
    """The other side did not speak as this module says."""


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A canonical picture: its file, its size in pixels, how many frames of the received file it shows
    (1 to ``SHEET_FRAMES``), and a WebP thumbnail if asked for.
    """

    data: bytes
    mime: str
    width: int
    height: int
    frames: int
    thumbnail: bytes | None


@dataclass(frozen=True, slots=True)
class Finished:
    """
    A proof and, unless the edit shows another picture, the final one.

    ``facts`` has the proof's ``verdict`` (one of ``VERDICTS``), its numbers, and those of each of
    the ``regions``; ``heat`` is a grey PNG of at most 64 x 64 px.
    """

    facts: dict[str, Any]
    heat: bytes | None
    picture: Picture | None

    @property
    def verdict(self) -> str:
        """The worst that holds of the edit."""
        return str(self.facts["verdict"])


@dataclass(frozen=True, slots=True)
class Asked(Generic[Answer]):
    """A request, and how its answer is checked and read; ``read`` raises Garbled."""

    head: dict[str, object]
    payloads: tuple[bytes, ...]
    read: Callable[[dict[str, Any], list[bytes]], Answer]


def ask_canonical(data: bytes, thumbnail_side: int | None) -> Asked[Picture]:
    """Ask for the canonical picture of a received file."""
    read = partial(picture, thumbnail=thumbnail_side is not None)
    return Asked({"thumbnail_side": thumbnail_side}, (data,), read)


def ask_finished(
    original: bytes,
    edited: bytes,
    regions: Sequence[Place],
    *,
    confined: bool,
    thumbnail_side: int,
) -> Asked[Finished]:
    """Ask for proof and final picture."""
    head: dict[str, object] = {"thumbnail_side": thumbnail_side, "confined": confined}
    return Asked(head, (original, edited, json.dumps(regions).encode()), finished)


def frame(head: dict[str, object], payloads: Sequence[bytes] = ()) -> bytes:
    """Give the begin of a message; the payloads themselves follow it on the wire."""
    document = json.dumps({**head, "payloads": [len(payload) for payload in payloads]}).encode()
    return len(document).to_bytes(LENGTH_BYTES, "big") + document


def head_length(prefix: bytes) -> int:
    """Read how long a message's JSON is.  Raises Garbled beyond ``MAX_HEAD``."""
    length = int.from_bytes(prefix, "big")
    if len(prefix) != LENGTH_BYTES or length > MAX_HEAD:
        raise Garbled(f"a head of {length} bytes, not at most {MAX_HEAD}")
    return length


def read_head(document: bytes) -> tuple[dict[str, Any], list[int]]:
    """
    Give a message's fields and the lengths of its payloads, bytes.

    Raises:
        Garbled: It is no JSON object, or has too many or too long payloads.
    """
    try:
        head = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise Garbled("the head is no JSON") from error
    lengths = head.pop("payloads", None) if isinstance(head, dict) else None
    if not isinstance(lengths, list) or len(lengths) > MAX_PAYLOADS:
        raise Garbled("the head lists no payloads or too many")
    if any(type(length) is not int or not 0 <= length <= MAX_PAYLOAD for length in lengths):
        raise Garbled(f"payloads of {lengths} bytes, not at most {MAX_PAYLOAD}")
    return head, lengths


def picture(head: dict[str, Any], payloads: list[bytes], *, thumbnail: bool) -> Picture:
    """
    Check an answer that should be a picture; the child may have been taken over by a file.

    Raises:
        Garbled: A field is missing or not what a canonical picture can have.
    """
    mime, width, height, frames = (head.get(name) for name in _FIELDS)
    if mime not in _MIMES or type(width) is not int or type(height) is not int:
        raise Garbled(f"an answer with the fields {sorted(head)}")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise Garbled(f"a picture of {width}x{height} pixels")
    if type(frames) is not int or not 1 <= frames <= SHEET_FRAMES:
        raise Garbled(f"a picture of {frames} frames")
    if len(payloads) != 1 + thumbnail or not all(payloads):
        raise Garbled(f"{len(payloads)} payloads of {[len(payload) for payload in payloads]} bytes")
    return Picture(payloads[0], mime, width, height, frames, payloads[1] if thumbnail else None)


def finished(head: dict[str, Any], payloads: list[bytes]) -> Finished:
    """
    Check an answer that should be a proof with its final picture.

    Raises:
        Garbled: It is not what a child says that was not taken over.
    """
    if len(payloads) not in (2, MAX_PAYLOADS) or len(payloads[0]) > _MAX_FACTS:
        raise Garbled(f"{len(payloads)} payloads instead of a proof")
    try:
        facts = json.loads(payloads[0])
    except (ValueError, RecursionError) as error:
        raise Garbled("the facts are no JSON") from error
    if not isinstance(facts, dict) or facts.get("verdict") not in VERDICTS:
        raise Garbled("the facts have no verdict")
    final = picture(head, payloads[2:], thumbnail=True) if len(payloads) == MAX_PAYLOADS else None
    if (final is None) != (facts["verdict"] == "other_picture"):
        raise Garbled("a final picture of another picture, or none of this one")
    return Finished(facts, payloads[1] or None, final)
