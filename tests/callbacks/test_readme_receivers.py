"""README's receivers, run as they stand there, are told by the real deliverer."""

import asyncio
import contextlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from service import standard_webhooks, subscribing
from service.store import Conn
from service.subscribing import Change
from tests import install_node
from tests.callbacks.conftest import Delivering
from tests.callbacks.driving import HOSTS, subscribe, tell, tries
from tests.callbacks.receivers import Received, receiving

README = Path(__file__).parents[2] / "README.md"
LINES = 15
RUN: dict[str, Callable[[], list[str]]] = {
    "python": lambda: [sys.executable, "-c"],
    "javascript": lambda: [install_node.node(), "-e"],
}
Altered = Callable[[Received, str], Received]


def receiver(language: str) -> str:
    """Cut the receiver out of README's section about callbacks."""
    (section,) = re.findall(
        r"^## Callbacks\n(.*?)(?=^## |\Z)", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    pattern = rf"<!-- receiver: {language} -->\n```{language}\n(.*?)```"
    (found,) = re.findall(pattern, section, re.DOTALL)
    return str(found)


@contextlib.asynccontextmanager
async def running(language: str, secret: str) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    """Run it on a free port; give its address once it listens, and what it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *RUN[language](),
        receiver(language),
        env={**os.environ, "SECRET": secret, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while not await _listens(port):
                assert process.returncode is None
                await asyncio.sleep(0.02)
        assert process.stdout is not None
        yield f"http://127.0.0.1:{port}/", process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@dataclass(slots=True)
class Relay:
    """Stands between the deliverer and the receiver, and alters what passes."""

    session: aiohttp.ClientSession
    secret: str = ""
    to: str = ""
    altered: Altered = field(default=lambda received, _: received)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower().startswith("webhook-")
        }
        passed = self.altered(Received(headers, await request.read()), self.secret)
        async with self.session.post(self.to, data=passed.body, headers=passed.headers) as answer:
            return web.Response(status=answer.status)


def signed_at(ago_s: int) -> Altered:
    """Sign it as of another time, with the right secret."""

    def alter(received: Received, secret: str) -> Received:
        at = datetime.now(UTC) - timedelta(seconds=ago_s)
        headers = standard_webhooks.headers(received.id, at, received.body, [secret])
        return Received(headers, received.body)

    return alter


def without(header: str) -> Altered:
    """Leave a header out."""
    return lambda received, _: Received(
        {name: value for name, value in received.headers.items() if name != header}, received.body
    )


ALTERED: dict[str, tuple[Altered, int]] = {
    "as it is": (lambda received, _: received, 204),
    "a changed body": (
        lambda received, _: Received(received.headers, received.body.replace(b"hold", b"allow")),
        401,
    ),
    "the body written anew": (
        lambda received, _: Received(received.headers, received.body.replace(b":", b": ", 1)),
        401,
    ),
    "an old time": (signed_at(310), 401),
    "an early time": (signed_at(-310), 401),
    "a time not long ago": (signed_at(290), 204),
    "no signature": (without("webhook-signature"), 401),
    "no time": (without("webhook-timestamp"), 401),
}


@pytest.mark.parametrize("language", RUN)
async def test_a_receiver_takes_what_is_genuine_and_nothing_else(
    language: str, owner: Conn, delivering: Delivering
) -> None:
    """In 15 lines: what was signed for it, now and untouched, gets 204; during a rotation too."""
    assert len(receiver(language).splitlines()) == LINES
    async with aiohttp.ClientSession() as session, delivering():
        relay = Relay(session)
        async with receiving(relay.pass_on) as between:
            told = await subscribe(owner, between.url)
            assert told.secret is not None
            relay.secret = told.secret
            async with running(language, told.secret) as (relay.to, printed):
                said = 0

                async def answered() -> int | None:
                    nonlocal said
                    said += 1
                    await tell(owner)
                    status: int | None = (await tries(owner, said))[-1]["status"]
                    return status

                for name, (relay.altered, status) in ALTERED.items():
                    assert await answered() == status, name
                relay.altered = ALTERED["as it is"][0]
                rotate = Change(rotate=True)
                await subscribing.change(owner, "test", told.endpoint.id, None, rotate, HOSTS)
                assert await answered() == 204
                await owner.execute("UPDATE endpoints SET old_secret_until = now()")
                assert await answered() == 401
                for _ in range(3):
                    assert (await printed.readline()).endswith(b" hold\n")
