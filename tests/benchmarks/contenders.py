"""Who is measured: the lower limit, our client in each dialect, and the ``openai`` SDK."""

import asyncio
import base64
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import openai
import pybase64

from service.edits import Edit, Upstream
from service.edits.client import DIALECTS, EditsClient
from tests.benchmarks import stub

DIALECT_NAMES: Final = tuple(stub.BEFORE_IMAGE)
FLOOR, OURS, SDK, SDK_FAST = "floor", "our client", "openai SDK", "openai SDK + pybase64"
_KEY, _MODEL = "secret-key", "a-model"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BUFFER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Got:
    """What one call brought; the floor does not look for the text."""

    image: bytes
    text: str | None


Call: TypeAlias = Callable[[], Awaitable[Got]]


@dataclass(frozen=True, slots=True)
class Contender:
    """``opened(url, edit)`` makes one call after another over one connection."""

    name: str
    dialect: str
    opened: Callable[[str, Edit], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def _floor(dialect: str, url: str, edit: Edit) -> AsyncIterator[Call]:
    """Send ready bytes over a bare socket, find the image's string in what comes, decode that."""
    request = DIALECTS[dialect].build(edit, upstream_of(dialect, url))
    address = urlsplit(request.url)
    headers = {"Host": address.netloc, "Content-Length": str(len(request.body)), **request.headers}
    lines = [f"POST {address.path} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    sent = "\r\n".join(lines).encode() + _HEAD_END + request.body
    before, loop, buffer = (
        stub.BEFORE_IMAGE[dialect],
        asyncio.get_running_loop(),
        bytearray(_BUFFER_BYTES),
    )
    with socket.create_connection((str(address.hostname), int(address.port or 80))) as connection:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        async def call() -> Got:
            await loop.sock_sendall(connection, sent)
            await _receive(connection, buffer)
            start = buffer.index(before) + len(before)
            encoded = memoryview(buffer)[start : buffer.index(b'"', start)]
            return Got(pybase64.b64decode(encoded, validate=True), None)

        yield call


async def _receive(connection: socket.socket, buffer: bytearray) -> None:
    """Fill the buffer with one reply."""
    loop, view, filled, whole = asyncio.get_running_loop(), memoryview(buffer), 0, len(buffer)
    while filled < whole:
        count = await loop.sock_recv_into(connection, view[filled:])
        assert count, f"the stub hung up after {filled} bytes"
        filled += count
        if whole == len(buffer) and (end := buffer.find(_HEAD_END, 0, filled)) >= 0:
            length = _LENGTH.search(buffer, 0, end + len(_HEAD_END))
            assert length, f"no Content-Length in {bytes(buffer[:end])!r}"
            whole = end + len(_HEAD_END) + int(length[1])


@asynccontextmanager
async def _ours(dialect: str, url: str, edit: Edit) -> AsyncIterator[Call]:
    upstream = upstream_of(dialect, url)
    async with EditsClient() as client:

        async def call() -> Got:
            answer, _ = await client.edit(edit, upstream)
            return Got(answer.image, answer.text)

        yield call


@asynccontextmanager
async def _sdk(decode: Callable[[str], bytes], url: str, edit: Edit) -> AsyncIterator[Call]:
    picture = ("image.png", edit.image, edit.mime)
    async with openai.AsyncOpenAI(base_url=url, api_key=_KEY, max_retries=0) as client:

        async def call() -> Got:
            response = await client.images.edit(
                model=_MODEL, prompt=edit.prompt, image=picture, n=1, response_format="b64_json"
            )
            assert response.data, "the SDK gave no data"
            (item,) = response.data
            assert item.b64_json, "the SDK gave no image"
            return Got(decode(item.b64_json), item.revised_prompt)

        yield call


def upstream_of(dialect: str, url: str) -> Upstream:
    """Describe the stub as it is configured."""
    return Upstream(
        name="stub",
        url=url,
        key=_KEY,
        dialect=dialect,
        model=_MODEL,
        price_microusd=0,
        weight=1.0,
        timeout_s=60.0,
        response_format=True,
    )


ALL: Final = (
    *(Contender(FLOOR, dialect, partial(_floor, dialect)) for dialect in DIALECT_NAMES),
    *(Contender(OURS, dialect, partial(_ours, dialect)) for dialect in DIALECT_NAMES),
    # The standard library's decoder is what the SDK's own examples show.
    Contender(SDK, "openai-images", partial(_sdk, base64.b64decode)),
    Contender(SDK_FAST, "openai-images", partial(_sdk, partial(pybase64.b64decode, validate=True))),
)
