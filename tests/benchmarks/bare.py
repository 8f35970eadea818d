"""The least that taking an upload can cost: receive, digest, INSERT, 202; in its own process."""

import asyncio
import hashlib
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

import asyncpg
from aiohttp import web

CONNECTIONS: Final = 8
TABLE: Final = "CREATE TABLE bare (sha256 bytea PRIMARY KEY, data bytea STORAGE EXTERNAL)"
_INSERT: Final = "INSERT INTO bare VALUES ($1, $2)"
_START_S: Final = 30.0


@contextmanager
def running(dsn: str) -> Iterator[tuple[int, str]]:
    """Serve while the context is open; gives the process and its address."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(dsn, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(_START_S), f"the bare server did not start within {_START_S:g} s"
        assert process.pid is not None
        yield process.pid, f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(dsn: str, ready: Connection) -> None:
    asyncio.run(_served(dsn, ready))


async def _served(dsn: str, ready: Connection) -> None:
    pool = await asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)

    async def post(request: web.Request) -> web.Response:
        body = await request.read()
        sha256 = hashlib.sha256(body).digest()
        await pool.execute(_INSERT, sha256, body)
        return web.json_response({"id": sha256.hex()}, status=202)

    application = web.Application(client_max_size=2**30)
    application.router.add_post("/v1/uploads", post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready.send(runner.addresses[0][1])
    await asyncio.Event().wait()
