"""
What the decode child and its parent say to each other, and the picture they hand over.

A message is a big-endian 32-bit length, that many bytes of JSON, then the payloads whose lengths
the JSON lists under ``payloads``.  The child says ``{"ready": true}`` once, then answers each
request ``{"thumbnail_side": int | null}`` (payload: the received file) with one of
``{"mime": str, "width": int, "height": int, "frames": int}`` (payloads: the picture and, if asked,
its thumbnail),
``{"unreadable": str}`` or ``{"out_of_memory": str}``, after which it exits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PICTURES_PER_CHILD = 200
MAX_HEAD = 4_096
MAX_PAYLOAD = 64_000_000  # noise of 4,096 x 4,096 px is a JPEG of about 40 MB
LENGTH_BYTES = 4
MAX_SIDE = 4_096  # pixels of a canonical picture
SHEET_FRAMES = 16  # most frames that a canonical picture shows

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
        Garbled: It is no JSON object with at most two payloads of ``MAX_PAYLOAD`` bytes.
    """
    try:
        head = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise Garbled("the head is no JSON") from error
    lengths = head.pop("payloads", None) if isinstance(head, dict) else None
    if not isinstance(lengths, list) or len(lengths) > 2:
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
