"""
Uploads that arrive by a schedule, whether or not the service keeps up with it.

A caller that waits for each answer before it sends the next slows down together with what it
measures and hides the worst of it; here each time counts from the moment an arrival was due.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import asyncpg
from PIL import Image

from tests import draw

BROKEN: Final = 0
_LONGEST_S: Final = 120.0
_BYTES_A_PIXEL: Final = 0.684
_NUMBER_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Arrival:
    """How one ended: its status (``BROKEN`` without one) and the seconds since it was due."""

    number: int
    status: int
    seconds: float
    upload: str | None = None
    told_when: bool = False


class Album:
    """Distinct JPEG files of about so many bytes: one picture, a comment with a number in it."""

    def __init__(self, size: int) -> None:
        # A pixel of noise makes so many bytes at this quality.
        side = round((size / _BYTES_A_PIXEL) ** 0.5)
        pixels = random.Random(1).randbytes(side * side * 3)
        whole = draw.encoded(Image.frombytes("RGB", (side, side), pixels), "JPEG", quality=80)
        self._start, self._rest = whole[:2], whole[2:]

    def picture(self, number: int) -> bytes:
        """Give the file of this number."""
        # ITU-T T.81, B.2.4.5: a comment is FF FE, the length with these two bytes, and anything.
        comment = b"\xff\xfe" + (_NUMBER_BYTES + 2).to_bytes(2) + number.to_bytes(_NUMBER_BYTES)
        return self._start + comment + self._rest

    def sha256(self, number: int) -> bytes:
        """Give the digest of the file of this number."""
        return hashlib.sha256(self.picture(number)).digest()


class Uploader:
    """Posts pictures as a platform over as many connections as are needed."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, album: Album) -> None:
        self._session, self.album = session, album
        self._url = f"{url}/v1/uploads"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "image/jpeg"}

    async def __call__(self, number: int, due: float) -> Arrival:
        """Post the picture of this number."""
        try:
            async with self._session.post(
                self._url, data=self.album.picture(number), headers=self._headers
            ) as response:
                body: dict[str, Any] = await response.json(content_type=None)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return Arrival(number, BROKEN, time.monotonic() - due)
        seconds = time.monotonic() - due
        told_when = response.headers.get("Retry-After", "").isdecimal()
        return Arrival(number, response.status, seconds, body.get("id"), told_when)


class Inserter:
    """The lower limit: the same bytes by a bare INSERT, with no service between."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", album: Album) -> None:
        self._pool, self.album = pool, album

    async def __call__(self, number: int, due: float) -> Arrival:
        """Insert the picture of this number."""
        await self._pool.execute("INSERT INTO bare VALUES ($1)", self.album.picture(number))
        return Arrival(number, 202, time.monotonic() - due)


def opened() -> aiohttp.ClientSession:
    """Open a session that never lets an arrival wait for a connection to become free."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=_LONGEST_S),
    )


async def arrive(
    send: Callable[[int, float], Coroutine[Any, Any, Arrival]],
    numbers: Sequence[int],
    rate: float,
    ticked: Callable[[], None],
) -> tuple[list[Arrival], float]:
    """
    Send each number at its moment, ``rate`` a second.

    Returns:
        How each ended, and the seconds from the first moment to the last end.
    """
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for place, number in enumerate(numbers):
            due = began + place / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(group.create_task(send(number, due)))
            ticked()
    return [task.result() for task in tasks], time.monotonic() - began


def statuses(ended: Sequence[Arrival]) -> dict[str, int]:
    """Count the arrivals by status."""
    counted = Counter(one.status for one in ended)
    return {str(status or "broken"): number for status, number in sorted(counted.items())}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Give the value that this share of ordered ones does not pass."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
