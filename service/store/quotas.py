"""What platforms use of their quotas: requests a second, uploads and bytes a day (UTC)."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from service.store import Conn

# The generic cell rate algorithm: ``next_at`` is until when the rate is used up, which may lie a
# little ahead of the clock.
# Source: ITU-T I.371 (2004) annex A, virtual scheduling.
_TAKE = """
    INSERT INTO request_rates AS kept (platform, next_at)
    VALUES ($1, clock_timestamp() + $2::interval)
        ON CONFLICT (platform) DO UPDATE
       SET next_at = greatest(kept.next_at, clock_timestamp()) + $2
     WHERE kept.next_at <= clock_timestamp() + $3::interval
 RETURNING platform
"""
_WAIT = """
    SELECT extract(epoch FROM next_at - $2::interval - clock_timestamp())::float8
      FROM request_rates WHERE platform = $1
"""
_STANDING = """
    SELECT coalesce($2, p.default_ruleset, $3) AS ruleset, r.live_version AS version, p.fetching,
           p.max_uploads_per_day, p.max_bytes_per_day,
           coalesce(d.uploads, 0) AS uploads, coalesce(d.bytes, 0) AS bytes,
           extract(epoch FROM (today.day + 1)::timestamp AT TIME ZONE 'UTC' - now())::float8
               AS day_ends_in_s
      FROM platforms AS p
     CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date AS day) AS today
      LEFT JOIN intake_days AS d ON d.platform = p.name AND d.day = today.day
      LEFT JOIN rulesets AS r ON r.name = coalesce($2, p.default_ruleset, $3)
     WHERE p.name = $1
"""
_COUNT = """
    INSERT INTO intake_days AS kept (platform, day, uploads, bytes)
    VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, $3)
        ON CONFLICT (platform, day) DO UPDATE
       SET uploads = kept.uploads + $2, bytes = kept.bytes + $3
 RETURNING uploads, bytes
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What a platform may have accepted today and has had, and what its uploads are judged by.

    ``version`` is the ruleset's live one, None if there is none.  ``fetching`` is its settings for
    that, None for the defaults; they hold secrets.
    """

    ruleset: str
    version: int | None
    fetching: dict[str, Any] | None = field(repr=False)
    max_uploads_per_day: int | None
    max_bytes_per_day: int | None
    uploads: int
    bytes: int
    day_ends_in_s: float


async def take(conn: Conn, platform: str, interval: timedelta, ahead: timedelta) -> bool:
    """Count a request if the rate, one an interval, is used up no further ahead than this."""
    return await conn.fetchval(_TAKE, platform, interval, ahead) is not None


async def wait_s(conn: Conn, platform: str, ahead: timedelta) -> float:
    """Tell in how many seconds the rate has room again; not above 0 if it has."""
    return float(await conn.fetchval(_WAIT, platform, ahead) or 0.0)


async def standing(conn: Conn, platform: str, ruleset: str | None, otherwise: str = "") -> Standing:
    """
    Tell how a platform that is known stands today.

    Its uploads are judged by this ruleset, else by its own default, ``otherwise`` by another.
    """
    row = await conn.fetchrow(_STANDING, platform, ruleset, otherwise)
    if row is None:
        raise LookupError(f"there is no platform {platform}")
    return Standing(**row)


async def count(conn: Conn, platform: str, number: int, size: int) -> tuple[int, int]:
    """
    Count so many uploads and bytes; tell today's with them.

    Others of the platform wait here until the transaction ends, so let it be the last statement.
    """
    row = await conn.fetchrow(_COUNT, platform, number, size)
    if row is None:
        raise LookupError(f"what came from {platform} was not counted")
    return row["uploads"], row["bytes"]
