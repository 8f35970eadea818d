"""Sites on loopback that host images, and a network of the test's own to reach them by names."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from tests.upstream import Upstream

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Site:
    """Answers GET in the order of ``script``, the last one ever after; keeps what was asked."""

    script: list[Handler] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    port: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        handler = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await handler(request)


@contextlib.asynccontextmanager
async def serving(
    site: Site, tls: ssl.SSLContext | None = None, paid: Upstream | None = None
) -> AsyncIterator[Site]:
    """Serve a site on a free port of loopback, with the routes of an upstream beside it."""
    app = web.Application(client_max_size=8 << 20)
    if paid is not None:
        app.router.add_post("/v1/images/edits", paid.edits)
        app.router.add_post("/v1/chat/completions", paid.chat)
        app.router.add_post("/v1beta/models/{model}:generateContent", paid.generate)
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        site.port = runner.addresses[0][1]
        site.url = f"http://127.0.0.1:{site.port}"
        yield site
    finally:
        await runner.cleanup()


def gives(body: bytes, status: int = 200, **headers: str) -> Handler:
    """Answer with a body."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=headers)

    return answer


def points_to(address: str, status: int = 302) -> Handler:
    """Redirect."""
    return gives(b"", status, Location=address)


async def breaks(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"the beginning")
    assert request.transport is not None
    request.transport.abort()
    return response


def hangs(until: asyncio.Event) -> Handler:
    """Answer nothing before the event."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await until.wait()
        return web.Response()

    return answer


@contextlib.asynccontextmanager
async def peer(talk: Talk) -> AsyncIterator[str]:
    """Listen on loopback and talk on each connection as a test tells it to; give host and port."""
    met: set[asyncio.Task[None] | None] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await talk(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        talking = [task for task in met if task is not None and not task.done()]
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)


class Names(AbstractResolver):
    """A resolver that knows these names only; each may have several addresses."""

    def __init__(self, known: Mapping[str, list[str]]) -> None:
        self._known = known

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        if host.lower() not in self._known:
            raise OSError(f"{host} is unknown")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._known[host.lower()]
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Wires:
    """Opens sockets that note where they were to connect and end on a port of loopback instead."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connected: list[tuple[str, int]] = []

    def open(self, to: AddrInfoType) -> socket.socket:
        wires, port = self.connected, self._port

        class Rerouted(socket.socket):
            def connect(self, address: tuple[str, int]) -> None:  # type: ignore[override]
                if address not in wires:
                    wires.append(address)
                super().connect(("127.0.0.1", port))

        return Rerouted(to[0], to[1], to[2])


def deadline(seconds: float = 10.0) -> float:
    """Give the time by the loop's clock, so many seconds from now."""
    return asyncio.get_running_loop().time() + seconds
