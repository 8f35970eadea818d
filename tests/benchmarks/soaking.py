"""A soak: uploads come, parts are killed, and every few seconds somebody looks."""

import asyncio
import itertools
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import asyncpg
from aiohttp import web

from service.store.database import speak_json
from tests.benchmarks import arrivals, ground, pictures, sampling, scripts, stub
from tests.benchmarks.sampling import Seen, Table
from tests.callbacks import driving as subscriptions
from tests.up import driving
from tests.up.driving import Up

# Width, height, and how many of a hundred uploads; all of one shape, so that one edit fits them.
SIZES: Final = (((72, 56), 60), ((576, 448), 25), ((1152, 896), 12), ((2304, 1792), 3))
LATENCY_S: Final = (0.5, 1.5)
SAMPLE_S: Final = 5.0
ENDED_S: Final = 180.0
FSCK_S: Final = 300.0
SETTINGS: Final = {
    "upstream_key": "secret-key",
    "upstream_price_usd": 0.05,
    "second_look": 0,
    "callback_hosts": "127.0.0.1",
    "lease_s": 10,
    "concurrency": 16,
    "decoders": 2,
}
OPEN: Final = "SELECT count(*) FROM uploads WHERE finished_at IS NULL"
STATES: Final = "SELECT state || ' ' || outcome AS how, count(*) FROM uploads GROUP BY how"


@dataclass(slots=True)
class Soak:
    """All that was seen."""

    began: float
    ended: float = 0.0
    processes: list[Seen] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    calls_back: int = 0
    fsck: dict[str, Any] = field(default_factory=dict)


async def soaked(seconds: float, rate: float, every_s: float, draw: random.Random) -> Soak:
    """Run all of it for so long, with this rate of uploads, and a kill every so many seconds."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(ground.folder())
        edited = pictures.Photos(1152, 896).edited(3)
        answers = {"soak": stub.answer(scripts.DIALECT, edited, pictures.description(3))}
        url = stack.enter_context(stub.running(answers, {"soak": LATENCY_S}))
        settings = {**SETTINGS, "upstream_url": f"{url}/soak", "ruleset": pictures.RULESET}
        arguments = ("up", "--port", 0, "--workers", 2, "--data-dir", folder / "data")
        up = await asyncio.to_thread(
            Up.start, folder / "data", *arguments, env=driving.environment(**settings)
        )
        stack.push_async_callback(asyncio.to_thread, up.end, signal.SIGTERM)
        conn = await asyncpg.connect(up.dsn)
        stack.push_async_callback(conn.close)
        await speak_json(conn)
        soak = Soak(time.time())
        receiver = await stack.enter_async_context(_receiving(soak))
        await subscriptions.subscribe(conn, receiver)
        uploading = asyncio.create_task(_upload(soak, up, rate, seconds, draw))
        watching = asyncio.create_task(_watch(soak, up, conn, seconds))
        await asyncio.gather(uploading, watching, _kill(soak, up, every_s, seconds, draw))
        soak.ended = time.time()
        async with asyncio.timeout(ENDED_S):
            while await conn.fetchval(OPEN):
                await asyncio.sleep(0.2)
        soak.waits = await sampling.waits(conn)
        soak.states = {row["how"]: row["count"] for row in await conn.fetch(STATES)}
        soak.fsck = await asyncio.to_thread(_checked, up)
        return soak


async def _upload(soak: Soak, up: Up, rate: float, seconds: float, draw: random.Random) -> None:
    """Send pictures of mixed sizes at a steady rate, whether or not the service keeps up."""
    photos = [pictures.Photos(*size) for size, _ in SIZES]
    weights = [weight for _, weight in SIZES]
    headers = {"Authorization": f"Bearer {up.token()}", "Content-Type": "image/jpeg"}

    async def send(session: aiohttp.ClientSession, number: int) -> None:
        (drawn,) = draw.choices(photos, weights)
        file = await asyncio.to_thread(drawn.received, number)
        address = f"{up.url}/v1/uploads"
        async with session.post(address, data=file, headers=headers) as response:
            _count(soak.statuses, str(response.status))

    async with arrivals.opened() as session, asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = soak.began + number / rate
            await asyncio.sleep(max(0.0, due - time.time()))
            group.create_task(send(session, number))


async def _watch(
    soak: Soak, up: Up, conn: "asyncpg.Connection[asyncpg.Record]", seconds: float
) -> None:
    """Look at processes and tables every few seconds."""
    while (at := time.time()) < soak.began + seconds:
        soak.processes += sampling.processes(at, up.process.pid)
        soak.tables += await sampling.tables(at, conn)
        await asyncio.sleep(SAMPLE_S)


async def _kill(soak: Soak, up: Up, every_s: float, seconds: float, draw: random.Random) -> None:
    """
    Kill the other worker, a decoder, and what delivers, in turn.

    What delivers is killed in the first third only, so that it has a long life to look at too; a
    worker is killed as often in each third, since that decides how long the longest waits are.
    """
    spared = min(_pids(up, "work"))
    for number in itertools.count():
        await asyncio.sleep(every_s * draw.uniform(0.5, 1.5))
        now = time.time()
        if now > soak.began + seconds:
            return
        early = now < soak.began + seconds / 3
        role = ("work", "decoder", "deliver" if early else "decoder")[number % 3]
        victims = {
            "work": [pid for pid in _pids(up, "work") if pid != spared],
            "decoder": _pids(up, "service.pictures.child"),
            "deliver": _pids(up, "deliver"),
        }[role]
        # One that was just killed may not be back yet.
        if victims:
            os.kill(draw.choice(victims), signal.SIGKILL)
            _count(soak.kills, role)


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _pids(up: Up, word: str) -> list[int]:
    return [pid for pid, words in driving.family(up.process.pid).items() if word in words]


@asynccontextmanager
async def _receiving(soak: Soak) -> AsyncIterator[str]:
    """Take callbacks on loopback, and count them."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        soak.calls_back += 1
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def _checked(up: Up) -> dict[str, Any]:
    """Let `fsck` look at the database; it exits with 1 where it finds a violation."""
    done = driving.run("fsck", "--json", "--data-dir", up.data_dir, timeout_s=FSCK_S)
    assert done.code in (0, 1), done.err
    found: dict[str, Any] = json.loads(done.out)
    return found
