"""How the tests of admission fill a small room: pictures of one size, sent in two parts."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from PIL import Image

from service.store import Conn
from service.web.admission import Room
from tests import draw
from tests.conftest import Api
from tests.web import sending
from tests.web.sending import connected, read_answer

POST = b"POST /v1/uploads"
SIDE = 180
AT_WORK = 3
# Slow is whoever takes longer than this; those that are not slow are done much earlier.
PATIENCE_S = 1.0
Answer = tuple[int, Any, Mapping[str, str]]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def picture(seed: int) -> bytes:
    """Draw one of many pictures that have the same number of bytes: noise does not compress."""
    pixels = random.Random(seed).randbytes(SIDE * SIDE * 3)
    return draw.encoded(Image.frombytes("RGB", (SIDE, SIDE), pixels), compress_level=0)


SIZE = len(picture(0))
HEADERS = b"Content-Type: image/png\r\nContent-Length: %d\r\n" % SIZE
CHUNKED = b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n"


def small_room() -> Room:
    """Room for three of the pictures and a half."""
    return Room(size=SIZE * 7 // 2, at_work=AT_WORK, patience_s=PATIENCE_S)


def check_overloaded(answer: Answer, what: str = "") -> None:
    """Check that an answer refuses for want of room and says when to come again."""
    sending.check_problem(answer, 503, "overloaded", what)
    assert int(answer[2]["Retry-After"]) >= 1


async def begin(api: Api, stack: AsyncExitStack, seed: int, sent: int) -> Stream:
    """Send the head of an upload and so many bytes of its body."""
    reader, writer = await stack.enter_async_context(connected(api.url))
    body = picture(seed)[:sent]
    writer.write(sending.request_bytes(api.platform, POST, HEADERS, body))
    await writer.drain()
    return reader, writer


async def finish(stream: Stream, seed: int, sent: int) -> Answer:
    """Send what is missing of the body, and read the answer."""
    reader, writer = stream
    writer.write(picture(seed)[sent:])
    return await read_answer(reader)


def arriving(room: Room, number: int) -> Callable[[], Awaitable[bool]]:
    """Make the condition that so many bodies are arriving."""

    async def condition() -> bool:
        return sum(share.arrival is not None for share in room.shares) == number

    return condition


def empty(room: Room) -> Callable[[], Awaitable[bool]]:
    """Make the condition that nobody holds anything."""

    async def condition() -> bool:
        return not room.shares and not room.held

    return condition


async def kept(owner: Conn) -> set[bytes]:
    """Tell the digests of the pictures of all uploads."""
    return {row["image_sha256"] for row in await owner.fetch("SELECT image_sha256 FROM uploads")}


def digest(seed: int) -> bytes:
    """Tell the digest of a picture."""
    return hashlib.sha256(picture(seed)).digest()
