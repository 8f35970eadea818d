"""What all workers know of each upstream together: down or not, how fast, how many calls."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.store import Conn, Row

# A rate that was lowered doubles every minute until something else limits it.
_RATE = "slowed_to * 2 ^ least(extract(epoch FROM clock_timestamp() - slowed_at) / 60, 30)"
# It has recovered when it is beyond anything that one upstream is sent.
_LOWERED = f"(CASE WHEN {_RATE} < 60000 THEN {_RATE} END)::float8"
_ADD = "INSERT INTO upstreams (name) VALUES ($1) ON CONFLICT DO NOTHING"
_STANDING = f"""
    SELECT down_since, seen_at < now() - interval '1 hour' AS forgotten,
           extract(epoch FROM probe_at - clock_timestamp())::float8 AS probe_in_s,
           extract(epoch FROM next_at - clock_timestamp())::float8 AS next_in_s,
           {_LOWERED} AS slowed_to
      FROM upstreams WHERE name = $1
"""  # noqa: S608  # put together from constants only
_LOCK = _STANDING + " FOR UPDATE"
# A call whose lease ran out was left by a worker that died; it holds no place any longer.
_UNDER_WAY = """
    SELECT count(*)
      FROM attempts AS a JOIN uploads AS u ON u.id = a.upload_id AND u.attempt = a.attempt
     WHERE a.upstream = $1 AND a.finished_at IS NULL
       AND u.state = 'working' AND u.due_at > clock_timestamp()
       AND ($2::timestamptz IS NULL OR a.started_at >= $2)
"""
_GRANT = """
    UPDATE upstreams
       SET seen_at = clock_timestamp(),
           probe_at = CASE WHEN down_since IS NOT NULL THEN clock_timestamp() + $2::interval END,
           next_at = CASE WHEN $3::interval IS NULL THEN next_at
                          ELSE greatest(next_at, clock_timestamp()) + $3 END
     WHERE name = $1
"""
_WELL = """
    WITH was AS (SELECT name, down_since FROM upstreams
                  WHERE name = $1 AND (failures > 0 OR down_since IS NOT NULL) FOR UPDATE)
    UPDATE upstreams AS u
       SET failures = 0, down_since = NULL, down_reason = NULL, probe_at = NULL
      FROM was WHERE u.name = was.name
 RETURNING was.down_since IS NOT NULL
"""
_FAILED = """
    WITH was AS (SELECT name, down_since, down_since IS NOT NULL OR failures + 1 >= $3 AS down
                   FROM upstreams WHERE name = $1 FOR UPDATE)
    UPDATE upstreams AS u
       SET failures = u.failures + 1,
           down_since = CASE WHEN was.down THEN coalesce(u.down_since, clock_timestamp()) END,
           down_reason = CASE WHEN was.down THEN $2 END,
           probe_at = CASE WHEN was.down
                           THEN coalesce(u.probe_at, clock_timestamp() + $4::interval) END
      FROM was WHERE u.name = was.name
 RETURNING was.down AND was.down_since IS NULL
"""
# Calls that were under way when the rate was lowered say nothing of the lower rate.
_SLOW = f"""
    UPDATE upstreams AS u
       SET next_at = greatest(next_at, clock_timestamp() + $4::interval),
           slowed_to = CASE WHEN later.told THEN greatest(1, least({_LOWERED}, coalesce(
               $3::float8,
               greatest($5::float8, (SELECT count(*) FROM attempts
                                      WHERE upstream = $1 AND started_at > now() - interval '60 s'))
               )) / 2) ELSE slowed_to END,
           slowed_at = CASE WHEN later.told THEN clock_timestamp() ELSE slowed_at END
      FROM (SELECT o.name, o.slowed_at IS NULL OR o.slowed_at <= a.started_at
              FROM upstreams AS o, attempts AS a
             WHERE o.name = $1 AND a.upload_id = $2 AND a.attempt = $6) AS later (name, told)
     WHERE u.name = later.name
"""  # noqa: S608  # put together from constants only
_LISTED = f"""
    SELECT name, down_since, down_reason, failures, {_LOWERED} AS slowed_to,
           (SELECT count(*) FROM attempts AS a
              JOIN uploads AS up ON up.id = a.upload_id AND up.attempt = a.attempt
             WHERE a.upstream = upstreams.name AND a.finished_at IS NULL
               AND up.state = 'working' AND up.due_at > clock_timestamp()) AS under_way
      FROM upstreams WHERE seen_at > now() - interval '1 day' ORDER BY name
"""  # noqa: S608  # put together from constants only


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How an upstream stands now.

    ``probe_in_s`` (while it is down) and ``next_in_s`` tell in how many seconds the next call may
    go out, negative if it may; ``slowed_to`` is the lowered rate in calls a minute;
    ``forgotten``: nobody has written for an hour that it is in use.
    """

    down_since: datetime | None
    forgotten: bool
    probe_in_s: float | None
    next_in_s: float
    slowed_to: float | None


async def add(conn: Conn, name: str) -> None:
    """Make an upstream known, if it is not."""
    await conn.execute(_ADD, name)


async def standing(conn: Conn, name: str, *, lock: bool = False) -> Standing | None:
    """Tell how the upstream stands, keeping others from asking if locked; None if unknown."""
    row = await conn.fetchrow(_LOCK if lock else _STANDING, name)
    return Standing(**row) if row else None


async def under_way(conn: Conn, name: str, since: datetime | None = None) -> int:
    """Count the calls to the upstream that live workers wait for (and that began since then)."""
    return int(await conn.fetchval(_UNDER_WAY, name, since))


async def grant(conn: Conn, name: str, pause: timedelta, interval: timedelta | None) -> None:
    """Count a call: while down the next probe is a pause away, else the next call an interval."""
    await conn.execute(_GRANT, name, pause, interval)


async def well(conn: Conn, name: str) -> bool:
    """Note that the upstream answered; tell whether it was down until now."""
    return bool(await conn.fetchval(_WELL, name))


async def failed(conn: Conn, name: str, reason: str, bearable: int, pause: timedelta) -> bool:
    """Note a failure, which with so many in a row opens the breaker; tell whether this one did."""
    return bool(await conn.fetchval(_FAILED, name, reason, bearable, pause))


async def slow(
    conn: Conn, name: str, call: tuple[UUID, int], *, ceiling: float | None, wait: timedelta
) -> None:
    """
    Note a 429: nothing for ``wait``, and from then on half as many calls a minute as now.

    Args:
        call: Upload and attempt; one that began before the last 429 halves nothing.
        ceiling: The configured calls a minute.
    """
    upload, attempt = call
    await conn.execute(_SLOW, name, upload, ceiling, wait, _UNLIMITED, attempt)


async def listed(conn: Conn) -> list[Row]:
    """List the upstreams seen within a day, with the calls under way."""
    return await conn.fetch(_LISTED)


# Where no rate is known, the first 429 lowers it to half of this, or of what was sent if more.
_UNLIMITED = 1200.0
