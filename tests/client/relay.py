"""A server between the client and the API that does wrong what a test tells it to."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from service.client import Client
from tests.conftest import Api

Fault = Callable[[web.Request, "Relay"], Awaitable[web.StreamResponse]]
HOP = ("transfer-encoding", "connection", "host", "content-length")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Relay:
    """Passes requests on to ``to``, after the faults in ``script`` have happened, one a request."""

    session: aiohttp.ClientSession
    to: str
    script: list[Fault]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.seen.append(Seen(request.method, request.path_qs, headers, body))
        return await (self.script.pop(0) if self.script else passes)(request, self)


async def passes(_: web.Request, relay: Relay) -> web.Response:
    """Pass the request on and the answer back."""
    seen = relay.seen[-1]
    sent = {name: value for name, value in seen.headers.items() if name not in HOP}
    async with relay.session.request(
        seen.method, relay.to + seen.path, data=seen.body or None, headers=sent
    ) as response:
        kept = {name: value for name, value in response.headers.items() if name.lower() not in HOP}
        return web.Response(status=response.status, body=await response.read(), headers=kept)


async def loses_the_answer(request: web.Request, relay: Relay) -> web.Response:
    """Pass the request on, and break the connection instead of passing the answer back."""
    answer = await passes(request, relay)
    return await resets(request, relay) if answer.status < 300 else answer


async def resets(request: web.Request, _: Relay) -> web.Response:
    """Break the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def says(status: int, answer: object = "<p>", **headers: str) -> Fault:
    """Answer with JSON, or a text as it is; underscores in names of headers are hyphens."""

    async def fault(_: web.Request, __: Relay) -> web.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(answer, str):
            return web.Response(status=status, text=answer, headers=sent)
        return web.json_response(answer, status=status, headers=sent)

    return fault


def problem(status: int, code: str, **headers: str) -> Fault:
    """Answer with a problem as the service words it."""
    detail = f"the detail of {code}"
    return says(status, {"status": status, "code": code, "detail": detail}, **headers)


@contextlib.asynccontextmanager
async def relaying(to: str, *script: Fault) -> AsyncIterator[Relay]:
    """Run a relay on a free port of loopback."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        relay = Relay(session, to, list(script))
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", relay.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield relay
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def through(
    api: Api, *script: Fault, patience_s: float = 60
) -> AsyncIterator[tuple[Relay, Client]]:
    """Run a relay before the API, and a platform's client that asks through it."""
    async with (
        relaying(api.url, *script) as between,
        Client(between.url, api.platform.token, patience_s=patience_s) as client,
    ):
        yield between, client
