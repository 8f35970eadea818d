"""A proxy that forwards TCP on loopback and breaks, cuts, delays and holds what it forwards."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_CHUNK = 65_536


@dataclass(eq=False, slots=True)
class Link:
    """One connection, both its sides; ``left`` is after how many bytes it is cut, None if not."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    left: int | None = None

    def reset(self) -> None:
        """Break both sides at once, as a machine that is gone does."""
        for side in (self.client, self.server):
            if side is not None:
                raw = side.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.transport.abort()


@dataclass(slots=True)
class Chaos:
    """
    Forwards to ``target`` as a good network does, until it is told otherwise.

    ``latency_s`` is added to each chunk.  ``fuse`` gives new connections a number of bytes after
    which they are cut.  ``cuts`` counts the connections that were broken on purpose, ``held`` the
    chunks that were kept waiting or delayed.
    """

    target: tuple[str, int]
    address: tuple[str, int] = ("", 0)
    latency_s: float = 0.0
    fuse: "tuple[random.Random, int] | None" = None
    cuts: int = 0
    held: int = 0
    links: set[Link] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _linked: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    @property
    def port(self) -> int:
        return self.address[1]

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["Chaos"]:
        """Listen on a free port of loopback."""
        self._flowing.set()
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.address = server.sockets[0].getsockname()
        try:
            yield self
        finally:
            server.close()
            self.heal()
            self.reset()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> int:
        """Break every connection; tell how many there were."""
        links = list(self.links)
        for link in links:
            link.reset()
        self.cuts += len(links)
        return len(links)

    async def linked(self) -> None:
        """Wait until there is a connection."""
        while not self.links:
            self._linked.clear()
            await self._linked.wait()

    def burn(self, rng: random.Random, most: int) -> None:
        """Cut every connection, those to come too, after up to so many more bytes."""
        self.fuse = (rng, most)
        for link in self.links:
            link.left = rng.randrange(most)

    def hang(self) -> None:
        """Hold everything back, both ways, and lose nothing."""
        self._flowing.clear()

    def heal(self) -> None:
        """Forward as a good network does."""
        self.latency_s, self.fuse = 0.0, None
        for link in self.links:
            link.left = None
        self._flowing.set()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        if self.fuse is not None:
            link.left = self.fuse[0].randrange(self.fuse[1])
        self.links.add(link)
        self._linked.set()
        try:
            answers, link.server = await asyncio.open_connection(*self.target)
            ways = [
                asyncio.create_task(self._pump(link, reader, link.server)),
                asyncio.create_task(self._pump(link, answers, writer)),
            ]
            _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            link.reset()
        finally:
            self.links.discard(link)
            for side in (link.client, link.server):
                if side is not None:
                    side.close()

    async def _pump(
        self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Forward one way until either side is gone."""
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if self.latency_s or not self._flowing.is_set():
                    self.held += 1
                    await asyncio.sleep(self.latency_s)
                    await self._flowing.wait()
                if link.left is not None and link.left <= len(data):
                    self.cuts += 1
                    sink.write(data[: link.left])
                    await sink.drain()
                    link.reset()
                    return
                if link.left is not None:
                    link.left -= len(data)
                sink.write(data)
                await sink.drain()
