"""What the sender of a hook is held against: its platform's settings, and the database's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.store import Conn

# There is a row for every name, so that an unknown platform takes the same way as a known one.
_FIND = """
    SELECT now() AS at, p.name IS NOT NULL AS known, p.hooks, p.max_requests_per_s
      FROM (SELECT) AS asked LEFT JOIN platforms AS p ON p.name = $1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How a platform stands to its senders at a time.

    ``hooks`` are its hook settings with their secrets, None for the defaults.
    """

    at: datetime
    known: bool
    hooks: Mapping[str, Any] | None
    max_requests_per_s: float | None


async def find(conn: Conn, platform: str) -> Standing:
    """Tell how a platform, known or not, stands to who says to be its sender."""
    row = await conn.fetchrow(_FIND, platform)
    if row is None:
        raise LookupError(f"nothing was answered about {platform}")
    return Standing(**row)
