"""
What runs inside the namespace: the internet of the lab, and the real fetcher in the midst of it.

Reads the cases as JSON from stdin and writes to stdout what came of each.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from service.addresses import FetchFailed, Policy
from service.fetching import Fetcher
from service.posting import Poster, PostFailed
from tests.lab import network
from tests.lab.names import NameServer

IMAGE: Final = "an image that anybody may see"
SECRET: Final = "what only the internal network may see"
GIVE_UP_S: Final = 4.0
Case = dict[str, Any]


class Internet:
    """One web server behind every address; public ones give the image, all others the secret."""

    def __init__(self) -> None:
        self.names, self.wire = NameServer(), network.Wire()
        self._pages: dict[str, Any] = {}
        self._asked: Counter[str] = Counter()

    def become(self, case: Case) -> None:
        """Begin anew, as a case wants the names and pages."""
        self.names.become(case["names"])
        self._pages, self._asked = case["pages"], Counter()
        self.wire.begun()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the page says, the first time, the second time, and so on."""
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0].removeprefix("::ffff:")
        if address not in network.PUBLIC:
            return web.Response(text=SECRET)
        rounds = self._pages.get(request.path, [[200, None]])
        status, location = rounds[min(self._asked[request.path], len(rounds) - 1)]
        self._asked[request.path] += 1
        headers = {"Connection": "close", **({"Location": location} if location else {})}
        return web.Response(text=IMAGE, status=status, headers=headers)


@contextlib.asynccontextmanager
async def internet() -> AsyncIterator[Internet]:
    """Run the name server, the web server and the ear on the wire."""
    loop, made = asyncio.get_running_loop(), Internet()
    loop.add_reader(made.wire, made.wire.read)
    loop.add_reader(made.names, made.names.answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for host in ("0.0.0.0", "::"):
        await web.TCPSite(runner, host, 80).start()
    yield made
    await runner.cleanup()


async def fetch(address: str, hosts: tuple[str, ...] | None) -> str:
    """Fetch by one try, as a job does, from these hosts or from every public one."""
    policy = Policy(None, hosts, max_bytes=1000, connect_timeout_s=2.0)
    try:
        async with Fetcher() as fetcher:
            return (await fetcher.fetch_once(address, policy, GIVE_UP_S)).decode()
    except FetchFailed as error:
        return f"FetchFailed: {error}"


async def fetch_thrice(address: str) -> str:
    """Fetch by up to three tries at once, as a call to an upstream does."""
    policy = Policy(None, None, max_bytes=1000, connect_timeout_s=2.0)
    until = asyncio.get_running_loop().time() + GIVE_UP_S
    try:
        async with Fetcher() as fetcher:
            return (await fetcher.fetch(address, policy, until)).decode()
    except FetchFailed as error:
        return f"FetchFailed: {error}"


async def post(address: str) -> str:
    """Post as the service calls back."""
    try:
        async with Poster((), GIVE_UP_S) as poster:
            return str((await poster.post(address, {}, b"{}")).status)
    except PostFailed as error:
        return f"PostFailed: {error}"


async def unguarded(address: str) -> str:
    """Fetch with a client that guards nothing, which shows that the lab sees what it should."""
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        return await response.text()


def hosts_of(case: Case) -> tuple[str, ...]:
    """Give every host of a case, as the parser spells it, for a list that allows them all."""
    hosts = list(case["names"])
    for address in (case["address"], *(to for page in case["pages"].values() for _, to in page)):
        with contextlib.suppress(ValueError):
            hosts.append(URL(address or "", encoded=True).raw_host or "")
    return tuple(hosts)


async def tried(world: Internet, case: Case) -> list[dict[str, Any]]:
    """Try a case in each way it wants, with a fetcher that remembers nothing of the try before."""
    world.become(case)
    results = []
    for way in case["ways"]:
        address = case["address"]
        came = await {
            "fetch": lambda address: fetch(address, None),
            "fetch listed": lambda address: fetch(address, hosts_of(case)),
            "fetch thrice": fetch_thrice,
            "post": post,
            "unguarded": unguarded,
        }[way](address)
        results.append({"came": came, "begun": world.wire.begun()})
    return results


async def main() -> None:
    """Try every case, one after another."""
    cases = json.load(sys.stdin)
    async with internet() as world:
        json.dump({name: await tried(world, case) for name, case in cases.items()}, sys.stdout)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        network.build(Path(folder))
        asyncio.run(main())
