"""Cursors of pages that are sorted by id."""

import base64
import binascii
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


def cursor(last: UUID) -> str:
    """Spell where a page ends."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def read(spelt: str | None) -> UUID | None:
    """Read behind which id a page begins; InputRefused if that is no cursor of ours."""
    if spelt is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(spelt + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise InputRefused(
            "cursor_invalid", f"{spelt!r} is not a cursor; send `next` of a page as it was given"
        ) from error
