"""Cursors: where the next page of a list begins, by id or signed."""

import base64
import binascii
import hmac
from typing import Annotated
from uuid import UUID

from pydantic import Field

from service.errors import InputRefused

Cursor = Annotated[
    str,
    Field(
        max_length=200,
        description="`next` of the page before",
        # What is spelt otherwise is refused by ``read``, with a code of its own.
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]{22}$"},
    ),
]
SignedCursor = Annotated[
    str,
    Field(
        max_length=200,
        description="`next` of the page before",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]{40,}$"},
    ),
]
_SIGNATURE_BYTES = 16


def cursor(last: UUID) -> str:
    """Spell where a page that is sorted by id ends."""
    return _spelt(last.bytes)


def read(spelt: str | None) -> UUID | None:
    """Read behind which id a page begins; InputRefused if that is no cursor of ours."""
    if spelt is None:
        return None
    try:
        return UUID(bytes=_bytes(spelt))
    except ValueError as error:
        raise _refused(spelt) from error


def sign(key: bytes, asked: str, place: bytes) -> str:
    """Spell a place in the answer to what was asked, so that nobody can make up another."""
    return _spelt(place + _signature(key, asked, place))


def verify(key: bytes, asked: str, spelt: str) -> bytes:
    """Read the place in a signed cursor; InputRefused if it was not given for what is asked."""
    try:
        signed = _bytes(spelt)
    except ValueError as error:
        raise _refused(spelt) from error
    place, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(key, asked, place)):
        raise _refused(spelt)
    return place


def _signature(key: bytes, asked: str, place: bytes) -> bytes:
    return hmac.digest(key, place + b"\0" + asked.encode(), "sha256")[:_SIGNATURE_BYTES]


def _spelt(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(spelt: str) -> bytes:
    try:
        return base64.b64decode(spelt + "==", altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("this is not base64") from error


def _refused(spelt: str) -> InputRefused:
    return InputRefused(
        "cursor_invalid",
        f"{spelt!r} is not a cursor of this list; send `next` of a page as it was given,"
        " with the same filters and order",
    )
