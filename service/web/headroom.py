"""
Whether more uploads can be taken: intake ends before a queue, a disk or a database is full.

A disk that is full stops the database, and a queue that only grows hides that nothing is worked on.
So what would come on top is refused in time, while what is there is still read, judged and deleted.
"""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from service.errors import Overloaded
from service.store import Pool, sizes

FULL_DISK = 0.85
# In all; of 200 kB each they have 20 GB, and with 16 calls of 10 s under way take 17 hours.
MAX_BACKLOG = 100_000
LOOK_S = 1.0
RETRY_AFTER_S = 10
# What takes uploads in.
_PATHS = ("/v1/uploads", "/v1/hooks/")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many uploads may wait or be worked on, and how large the database may become."""

    backlog: int = MAX_BACKLOG
    database_bytes: int | None = None


class Headroom:
    """
    What is left; looked at once a second, by whoever asks first.

    ``folder`` is the data folder: its disk, and that of the embedded database, are watched.
    """

    def __init__(self, pool: Pool, folder: Path, bounds: Bounds) -> None:
        self._pool, self._folder, self._bounds = pool, folder, bounds
        self._looking = asyncio.Lock()
        self._fresh_until = 0.0
        self._full: str | None = None

    async def check(self) -> None:
        """
        See whether one more upload can be taken.

        Raises:
            Overloaded: Something is full; it says what.
        """
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if clock() >= self._fresh_until:
                self._full = full_disk(self._folder) or await self._full_database()
                self._fresh_until = clock() + LOOK_S
        if self._full is not None:
            raise Overloaded(self._full, retry_after_s=RETRY_AFTER_S)

    async def _full_database(self) -> str | None:
        bounds = self._bounds
        async with self._pool.acquire() as conn:
            if await sizes.unfinished(conn, bounds.backlog) >= bounds.backlog:
                return f"{bounds.backlog} uploads are not finished yet"
            if bounds.database_bytes is None:
                return None
            size = await sizes.database_bytes(conn)
        if size < bounds.database_bytes:
            return None
        return f"the database has {size} bytes; {bounds.database_bytes} are allowed"


def full_disk(folder: Path) -> str | None:
    """Say which disk is full, of a data folder and of a database in it; None if none is."""
    for place in (folder, folder / "postgres"):
        if place.exists() and used_share(place) > FULL_DISK:
            return f"the disk is over {FULL_DISK:.0%} full"
    return None


def used_share(folder: Path) -> float:
    """Tell the share of a folder's disk that is used, of what there is for us."""
    disk = shutil.disk_usage(folder)
    # Not of the whole: what is kept for the system's own processes is free for none of us.
    return disk.used / (disk.used + disk.free)


def takes_uploads(request: web.Request) -> bool:
    """Tell whether a request would become an upload."""
    return request.method == "POST" and request.path.startswith(_PATHS)


HEADROOM = web.AppKey("headroom", Headroom)
