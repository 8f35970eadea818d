"""A scripted upstream on a port of its own, which counts its calls and can be out of service."""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web

from tests.upstream import Answer, Call, Upstream, described


@dataclass(slots=True)
class Endpoint:
    """
    Answers each call after ``takes_s`` seconds, with ``answer``.

    ``arrived`` holds the times at which calls came, by the monotonic clock in seconds; ``most`` is
    how many of them it worked on at once.
    """

    takes_s: float = 0.05
    answer: Answer = field(default_factory=described)
    arrived: list[float] = field(default_factory=list)
    pictures: Counter[bytes] = field(default_factory=Counter)
    under_way: int = 0
    most: int = 0
    _scripted: Upstream = field(default_factory=Upstream)
    _address: tuple[str, int] = ("127.0.0.1", 0)
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        host, port = self._address
        return f"http://{host}:{port}/v1"

    async def listen(self) -> None:
        """Take connections, each for one call, at the same address as before."""
        if self._runner is None:
            raise RuntimeError("the endpoint is not open")
        self._site = web.TCPSite(self._runner, *self._address, reuse_port=True)
        await self._site.start()

    async def refuse(self) -> None:
        """Refuse connections; calls under way are answered."""
        if self._site is not None:
            await self._site.stop()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["Endpoint"]:
        """Hold a port of its own, which nobody else gets while connections are refused."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/images/edits", self._edits)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind(self._address)
            self._address = holder.getsockname()
            try:
                await self.listen()
                yield self
            finally:
                await self._runner.cleanup()

    async def _edits(self, request: web.Request) -> web.StreamResponse:
        self._scripted.script.append(self._counted)
        response = await self._scripted.edits(request)
        response.force_close()
        return response

    async def _counted(self, call: Call, request: web.Request) -> web.StreamResponse:
        self.arrived.append(time.monotonic())
        self.pictures[sha256(call.image).digest()] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.takes_s)
            return await self.answer(call, request)
        finally:
            self.under_way -= 1
