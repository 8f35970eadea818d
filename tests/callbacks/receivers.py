"""Receivers on loopback: they keep what came and answer as a test tells them to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came; header names are in lower case."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receiver:
    """Answers in the order of ``script``, the last one ever after."""

    script: list[Handler]
    came: list[Received] = field(default_factory=list)
    url: str = ""
    under_way: int = 0
    most_under_way: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append(Received(headers, await request.read()))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            handler = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            return await handler(request)
        finally:
            self.under_way -= 1

    async def until(self, number: int) -> list[Received]:
        """Wait until so many have come."""
        async with asyncio.timeout(20):
            while len(self.came) < number:
                await asyncio.sleep(0.01)
        return self.came


@contextlib.asynccontextmanager
async def receiving(*script: Handler) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    receiver = Receiver(list(script) or [says(204)])
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks?a=%2F"
        yield receiver
    finally:
        await runner.cleanup()


def says(status: int, **headers: str) -> Handler:
    """Answer with a status; underscores in names of headers stand for hyphens."""

    async def answer(_: web.Request) -> web.StreamResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, headers=sent)

    return answer


async def resets(request: web.Request) -> web.StreamResponse:
    """Break the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def hangs(until: asyncio.Event) -> Handler:
    """Answer nothing before the event."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await until.wait()
        return web.Response()

    return answer
