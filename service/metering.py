"""Quotas: whether a platform's request or upload is within them, counted in Postgres."""

import math
from datetime import timedelta

from service.errors import QuotaExceeded
from service.store import Conn, quotas
from service.store.quotas import Standing

# So much of a rate may be used at once by who used none of it before.
BURST = timedelta(seconds=1)


async def take_request(conn: Conn, platform: str, max_per_s: float) -> None:
    """
    Count a request of the platform.

    Raises:
        QuotaExceeded: There were too many in the last second; this one is not counted.
    """
    interval = timedelta(seconds=1 / max_per_s)
    ahead = max(timedelta(0), BURST - interval)
    if not await quotas.take(conn, platform, interval, ahead):
        raise QuotaExceeded(
            f"{platform} may make {max_per_s:g} requests a second",
            retry_after_s=_whole(await quotas.wait_s(conn, platform, ahead)),
        )


def check_upload(platform: str, standing: Standing, size: int) -> None:
    """
    See whether one more upload of so many bytes has room today.

    Raises:
        QuotaExceeded: There is no room; try again tomorrow (UTC).
    """
    check_day(platform, standing, standing.uploads + 1, standing.bytes + size)


async def count_upload(conn: Conn, platform: str, standing: Standing) -> None:
    """
    Count an upload whose image is not here yet, in the transaction that stores it.

    Raises:
        QuotaExceeded: Others took the room since ``standing`` was read; store nothing.
    """
    uploads, size_today = await quotas.count(conn, platform, 1, 0)
    check_day(platform, standing, uploads, size_today)


async def count_fetched(conn: Conn, platform: str, standing: Standing, size: int) -> None:
    """
    Count the bytes of an upload that was counted when it was told of.

    Raises:
        QuotaExceeded: There is no room for them; store nothing.
    """
    _, size_today = await quotas.count(conn, platform, 0, size)
    check_day(platform, standing, 0, size_today)


def check_day(platform: str, standing: Standing, uploads: int, size: int) -> None:
    """
    See whether so many uploads and bytes are allowed on a day.

    Raises:
        QuotaExceeded: They are not; store nothing.
    """
    for limit, used, unit in (
        (standing.max_uploads_per_day, uploads, "uploads"),
        (standing.max_bytes_per_day, size, "bytes"),
    ):
        if limit is not None and used > limit:
            raise QuotaExceeded(
                f"{platform} may send {limit} {unit} a day (UTC), and this would make {used}",
                retry_after_s=_whole(standing.day_ends_in_s),
            )


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))
