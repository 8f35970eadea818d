"""
Room for what is being taken: memory and waiting stay bounded, however much arrives at once.

A request with a body is *reading* while its body arrives and *at work* otherwise, until it is
answered or says that it holds nothing any more.  Those at work share few database connections, so
their number bounds how long one waits; over it, more are refused before their bodies are read.
Bodies count as they arrive, so that who sends slowly holds only what it has sent, and at least
what the HTTP server takes before we are asked.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from service import allocator
from service.errors import Overloaded
from service.web import headroom, metrics, problems

# A body is held up to three times over: as it arrived, as a statement, as what the socket has not
# taken yet. So 80 MB of a process at rest became 268 MB, after a flood, with bodies of 20 MB at
# once; it must hold the largest image in base64, which is 35 MB.
ROOM_BYTES = 40 << 20
# So many uploads of 200 kB take about a second.
AT_WORK = 256
# Where there is no room left, a body that has been arriving for longer is given up for others.
PATIENCE_S = 5.0
RETRY_AFTER_S = 2
# Memory of smaller bodies is kept for the next ones, that of larger ones goes back to the system.
LARGE_BYTES = 1 << 20
# What aiohttp takes of a body before any handler runs; its ``read_bufsize``.
_BUFFERED_BYTES = 256 << 10


@dataclass(slots=True, eq=False)
class Share:
    """
    What one request holds of the room.

    ``arrival`` is the time limit of its body while that arrives; ``broken_off`` tells that it was
    given up so that others have room.
    """

    room: "Room"
    held: int
    arrival: asyncio.Timeout | None = None
    since: float = 0.0
    broken_off: bool = False

    def expect(self, size: int) -> None:
        """
        See whether there is room for a body of so many bytes now, without taking it.

        Raises:
            Overloaded: There is none.
        """
        self.room.make_room(self, size - self.held)

    def hold(self, size: int) -> None:
        """
        Take room for the bytes that are here by now.

        Raises:
            Overloaded: There is none; the share stays as it was.
        """
        more = size - self.held
        if more > 0:
            self.room.make_room(self, more)
            if self.held < LARGE_BYTES <= size:
                # Beside what a flood of small ones has left, large ones would take too much.
                allocator.give_back()
            self.held += more

    @contextmanager
    def arriving(self, limit: asyncio.Timeout) -> Iterator[Self]:
        """Be reading: not at work, and broken off by way of ``limit`` where others need room."""
        self.arrival, self.since = limit, asyncio.get_running_loop().time()
        try:
            yield self
        finally:
            self.arrival = None

    def arrives_since(self, moment: float) -> bool:
        """Tell whether the body has been arriving since before a moment of the loop's clock."""
        return self.arrival is not None and self.since < moment

    def break_off(self) -> None:
        """Give the body up while it arrives: whoever reads it sees the time limit pass."""
        self.broken_off = True
        self.leave()
        if self.arrival is not None and not self.arrival.expired():
            self.arrival.reschedule(self.since)

    def check_kept(self) -> None:
        """
        See whether the body may still arrive.

        Raises:
            Overloaded: It was given up.
        """
        if self.broken_off:
            raise Overloaded(
                "the body arrived slowly, and others needed its room", retry_after_s=RETRY_AFTER_S
            )

    def leave(self) -> None:
        """Hold nothing any more, though the request goes on; does nothing the second time."""
        self.room.shares.discard(self)


class Room:
    """What one process has for requests being taken."""

    def __init__(
        self,
        size: int = ROOM_BYTES,
        at_work: int = AT_WORK,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._size, self._at_work, self._patience_s = size, at_work, patience_s
        self.shares: set[Share] = set()

    @property
    def held(self) -> int:
        """Bytes of bodies held now."""
        return sum(share.held for share in self.shares)

    @contextmanager
    def share(self, announced: int) -> Iterator[Share]:
        """
        Let a request in.

        Args:
            announced: Bytes of its body by its headers; 0 if they do not tell.

        Raises:
            Overloaded: As many as may be are at work, or there is no room.
        """
        if sum(share.arrival is None for share in self.shares) >= self._at_work:
            raise Overloaded(
                f"{self._at_work} requests are being taken already", retry_after_s=RETRY_AFTER_S
            )
        share = Share(self, 0)
        share.hold(min(announced, _BUFFERED_BYTES))
        self.shares.add(share)
        try:
            yield share
        finally:
            share.leave()

    def make_room(self, asking: Share, size: int) -> None:
        """
        See that so many bytes are free, giving up the slowest bodies where they are not.

        Raises:
            Overloaded: They are not free even so; then nothing was given up.
        """
        missing = self.held + size - self._size
        if missing <= 0:
            return
        patient_since = asyncio.get_running_loop().time() - self._patience_s
        slow = [share for share in self.shares - {asking} if share.arrives_since(patient_since)]
        if missing > sum(share.held for share in slow):
            raise Overloaded(
                f"there is no room for {size} more bytes of bodies beside the {self.held} held",
                retry_after_s=RETRY_AFTER_S,
            )
        for share in sorted(slow, key=lambda share: share.since):
            if missing > 0:
                missing -= share.held
                share.break_off()


ROOM = web.AppKey("room", Room)
SHARE = web.RequestKey("share", Share)


@web.middleware
async def middleware(request: web.Request, handler: problems.Handler) -> web.StreamResponse:
    """Let what carries a body in only where there is room; before anything is asked of Postgres."""
    if request.method in ("GET", "HEAD"):
        return await handler(request)
    try:
        if headroom.takes_uploads(request):
            await request.app[headroom.HEADROOM].check()
        with request.app[ROOM].share(request.content_length or 0) as share:
            request[SHARE] = share
            return await handler(request)
    except Overloaded:
        request.app[metrics.METRICS].overloaded.inc()
        raise
