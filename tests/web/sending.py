"""How the tests of the API send what no client library would send, and what they count after."""

import asyncio
import base64
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from service import administering, auth
from service.administering import Order
from service.store import Conn, Pool
from tests import draw
from tests.conftest import Api, Caller

BOUNDARY = "the-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
PNG = draw.png(8, 8, "teal")
TABLES = ("images", "uploads", "idempotency_keys")


def part(name: str, data: bytes, more: bytes = b"") -> bytes:
    """One part of a form, with the boundary before it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode()
    return head + more + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def picture(data: bytes = PNG) -> bytes:
    """The part that carries the image."""
    return part("image", data, b'; filename="a.png"\r\nContent-Type: image/png')


def in_json(image: bytes = PNG, **fields: Any) -> bytes:
    """The JSON form of an upload."""
    return json.dumps({"image": base64.b64encode(image).decode(), **fields}).encode()


async def stored(conn: Conn) -> dict[str, int]:
    """Count the rows that taking an upload writes."""
    return {table: await conn.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


NOTHING = dict.fromkeys(TABLES, 0)


async def caller(api: Api, pool: Pool, role: auth.Role, platform: str | None = None) -> Caller:
    """One more bearer."""
    async with pool.acquire() as conn:
        made = await administering.create_token(conn, Order(role, platform))
    return dataclasses.replace(api.platform, token=made.token)


def check_problem(
    answer: tuple[int, Any, Mapping[str, str]], status: int, code: str, what: str = ""
) -> None:
    """Check that an answer is this problem, in the one shape that problems have."""
    got, body, headers = answer
    assert (got, body.get("code")) == (status, code), (what, body)
    assert headers["Content-Type"].startswith("application/problem+json")
    assert body["status"] == status
    assert all(body[key] and isinstance(body[key], str) for key in ("type", "title", "detail"))


def request_bytes(
    caller: Caller, line: bytes, headers: bytes = b"", body: bytes = b"", token: bytes = b""
) -> bytes:
    """A request as bytes on the wire; the connection closes after it."""
    bearer = token or caller.token.encode()
    return (
        line
        + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
        + bearer
        + b"\r\n"
        + headers
        + b"\r\n"
        + body
    )


@asynccontextmanager
async def connected(
    url: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Hold a bare connection, which is cut off at the end."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Wait for a condition; fails when it does not come about."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def read_answer(
    reader: asyncio.StreamReader,
) -> tuple[int, Any, Mapping[str, str]]:
    """Read one answer up to the end of its body."""
    async with asyncio.timeout(15):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
    whole = json.loads(body) if "json" in headers.get("Content-Type", "") else body
    return int(head[0].split(" ")[1]), whole, headers


async def send(url: str, request: bytes) -> tuple[int, Any, Mapping[str, str]]:
    """Send bytes as they are and read the answer."""
    async with connected(url) as (reader, writer):
        writer.write(request)
        await writer.drain()
        return await read_answer(reader)
