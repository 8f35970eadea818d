"""Stopping: readiness goes first, and what was begun is finished."""

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from service import administering
from service.intake import Intake
from service.pictures import headers
from service.store import Pool
from service.store.database import Database
from service.web import application, operations, serving
from service.web.waiting import Waiting
from tests import draw


async def test_a_body_under_way_is_taken_while_draining(
    pool: Pool, where: Database, tmp_path: Path
) -> None:
    """An upload half sent when the process is told to stop gets its 202, and then it stops."""
    limits = headers.Limits()
    readiness = operations.Readiness(1, tmp_path)
    app = application.create(
        pool,
        Intake(pool, limits, "privacy", "https://example.org"),
        Waiting(pool, where),
        readiness,
        limits.max_bytes,
    )
    async with pool.acquire() as conn:
        tokens = await administering.first_tokens(conn, tmp_path / "tokens.json")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    stop = asyncio.Event()
    serve = asyncio.create_task(
        serving.serve(app, serving.Place("127.0.0.1", port, listener), 10.0, stop)
    )
    image = draw.png(64, 48, "teal")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(image)}\r\n"
        f"Authorization: Bearer {tokens['platform']}\r\n\r\n".encode()
        + image[:40]
    )
    async with asyncio.timeout(10):
        while not readiness.busy:
            await asyncio.sleep(0.01)
        stop.set()
        while not readiness.draining:
            await asyncio.sleep(0.01)
        writer.write(image[40:])
        answer = await reader.read()
        await serve

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 202")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["state"] == "queued"
    assert await pool.fetchval("SELECT count(*) FROM uploads") == 1
    writer.close()
    await writer.wait_closed()


async def test_readiness_goes_before_the_socket(
    pool: Pool, where: Database, tmp_path: Path
) -> None:
    """A balancer that asks /readyz is told to go elsewhere while connections still work."""
    limits = headers.Limits()
    app = application.create(
        pool,
        Intake(pool, limits, "privacy", "https://example.org"),
        Waiting(pool, where),
        operations.Readiness(1, tmp_path),
        limits.max_bytes,
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = serving.Place("127.0.0.1", free.getsockname()[1])
    stop = asyncio.Event()
    serve = asyncio.create_task(serving.serve(app, place, 5.0, stop))
    url = f"http://127.0.0.1:{place.port}/readyz"
    async with aiohttp.ClientSession() as session, asyncio.timeout(15):
        assert await _status(session, url, wanted=200) == 200
        stop.set()
        assert await _status(session, url, wanted=503) == 503
        await serve
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)


async def _status(session: aiohttp.ClientSession, url: str, wanted: int) -> int:
    """Ask until the wanted status comes; the caller's deadline bounds it."""
    while True:
        try:
            async with session.get(url) as response:
                if response.status == wanted:
                    return response.status
        except aiohttp.ClientConnectionError:
            assert urlsplit(url).hostname == "127.0.0.1"
        await asyncio.sleep(0.02)
