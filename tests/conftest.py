"""Fixtures: one embedded Postgres a test process, one database a test, real HTTP on loopback."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from multidict import CIMultiDictProxy

from service import administering, auth, log, preparing, up
from service.attempting import Attempting
from service.edits import Upstream as Configured
from service.edits.client import EditsClient
from service.embedded.server import EmbeddedPostgres
from service.intake import Intake
from service.pictures import headers
from service.pictures.pool import Decoders
from service.quoting import Offer
from service.reviewing import TERMS, Terms
from service.store import Pool, database, migrations
from service.store.database import Database
from service.web import application
from service.web.admission import Room
from service.web.operations import Readiness
from service.web.waiting import Waiting
from service.worker import Pace, Worker
from tests.upstream import Upstream

TEMPLATE = up.DATABASE
PRICE = 58_000
LEASE = timedelta(seconds=4)
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30


log.configure("console")
# Installed code is compiled once; each of the many processes of the tests would do it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it runs in the background ignore Ctrl-C, and so would all that we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for all tests of this process; it may forget everything when the power fails."""
    settings = {"fsync": "off", "max_connections": "300"}
    with _quick(tmp_path_factory) as folder, EmbeddedPostgres(folder, settings=settings) as server:
        asyncio.run(_prepare(server))
        yield server


@contextlib.contextmanager
def _quick(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder in memory if there is room: the database of each test is hundreds of files."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        with tempfile.TemporaryDirectory(prefix="moderation-tests-", dir=MEMORY) as folder:
            yield Path(folder) / "postgres"
    else:
        yield factory.mktemp("postgres")


async def _prepare(server: EmbeddedPostgres) -> None:
    await preparing.prepare(await up.bootstrap(server))


@pytest.fixture
async def where(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A migrated database of this test's own."""
    async with fresh_database(postgres, template=TEMPLATE) as made:
        yield made


@contextlib.asynccontextmanager
async def fresh_database(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Database]:
    """Make a database from a template, and drop it afterwards whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    superuser = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        await superuser.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {up.OWNER_ROLE}")
        yield Database(
            dsn=postgres.dsn(name, database.APPLICATION_ROLE),
            owner_dsn=postgres.dsn(name, up.OWNER_ROLE),
        )
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await superuser.close()


@pytest.fixture
async def pool(where: Database) -> AsyncIterator[Pool]:
    """Connections as the application's role."""
    opened = await where.pool(size=10, name="tests")
    yield opened
    await opened.close()


@pytest.fixture
async def owner(where: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as the tables' owner, for looking and for planting faults."""
    conn = await where.connect_owner()
    await database.speak_json(conn)
    yield conn
    await conn.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """The scripted edits endpoint."""
    scripted = Upstream()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/images/edits", scripted.edits)
    app.router.add_post("/v1/chat/completions", scripted.chat)
    app.router.add_post("/v1/messages", scripted.messages)
    app.router.add_post("/v1beta/models/{model}:generateContent", scripted.generate)
    async with _serving(app) as address:
        scripted.url = f"{address}/v1"
        yield scripted


@dataclass(frozen=True, slots=True)
class Caller:
    """The API as one bearer of a token sees it."""

    session: aiohttp.ClientSession
    url: str
    token: str

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **request: Any
    ) -> tuple[int, Any, CIMultiDictProxy[str]]:
        """Give the status, the JSON (or the bytes), and the headers of the answer."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        async with self.session.request(
            method, self.url + path, headers=sent, **request
        ) as response:
            if response.content_type.endswith("json"):
                return response.status, await response.json(content_type=None), response.headers
            return response.status, await response.read(), response.headers

    async def upload(self, image: bytes, query: str = "", **headers: str) -> dict[str, Any]:
        """Upload an image that must be accepted."""
        sent = {"Content-Type": "image/png"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        status, body, _ = await self.ask("POST", f"/v1/uploads{query}", data=image, headers=sent)
        assert status in (200, 202), body
        accepted: dict[str, Any] = body
        return accepted

    async def upload_until(self, upload: str, states: tuple[str, ...]) -> dict[str, Any]:
        """Ask for an upload until it is in one of these states; fails after 30 seconds."""
        async with asyncio.timeout(30):
            while True:
                status, body, _ = await self.ask("GET", f"/v1/uploads/{upload}")
                assert status == 200, body
                if body["state"] in states:
                    found: dict[str, Any] = body
                    return found
                await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Api:
    """A running API with one caller for each role."""

    url: str
    readiness: Readiness
    platform: Caller
    moderator: Caller
    policy: Caller
    admin: Caller


@pytest.fixture
def offers() -> Sequence[Offer]:
    """What the upstreams are that the API was told of: none."""
    return ()


@pytest.fixture
def room() -> Room:
    """What the API has for requests being taken: as much as is usual."""
    return Room()


@pytest.fixture
def fetch_hosts() -> tuple[str, ...]:
    """Which hosts on private networks images may be fetched from: none."""
    return ()


@pytest.fixture
def terms() -> Terms:
    """For how long a decision may be undone, and so on: as it is by default."""
    return TERMS


@pytest.fixture
async def api(
    pool: Pool,
    where: Database,
    tmp_path: Path,
    offers: Sequence[Offer],
    room: Room,
    fetch_hosts: tuple[str, ...],
    terms: Terms,
) -> AsyncIterator[Api]:
    """The API on a real socket."""
    limits = headers.Limits()
    needed = migrations.read(Path(__file__).parents[1] / "migrations")
    readiness = Readiness(needed[-1].version, tmp_path)
    app = application.create(
        pool,
        Intake(pool, limits, "privacy", "https://example.org", fetch_hosts),
        Waiting(pool, where),
        readiness,
        limits.max_bytes,
        offers,
        room=room,
        terms=terms,
    )
    async with pool.acquire() as conn:
        tokens = await administering.first_tokens(conn, tmp_path / "tokens.json")
    async with (
        _serving(app, auto_decompress=False) as url,
        aiohttp.ClientSession(auto_decompress=True) as session,
    ):
        callers = {role: Caller(session, url, tokens[role]) for role in auth.ROLES}
        yield Api(url, readiness, **callers)


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    """One decode child."""
    opened = Decoders(1)
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
async def attempting(
    pool: Pool, decoders: Decoders, upstream: Upstream
) -> AsyncIterator[Attempting]:
    """Attempts against the scripted endpoint, $0.058 each."""
    async with EditsClient() as client:
        yield Attempting(pool, decoders, client, [configured(upstream.url)], "https://example.org")


def configured(url: str, **changes: Any) -> Configured:
    """An upstream as it is configured."""
    values = {
        "name": "scripted",
        "url": url,
        "key": "secret-key",
        "dialect": "openai-images",
        "model": "gemini-3.1-flash-image-preview",
        "price_microusd": PRICE,
        "weight": 1.0,
        "timeout_s": 5.0,
        "response_format": True,
        **changes,
    }
    return Configured(**values)


@pytest.fixture
async def working(
    pool: Pool, where: Database, attempting: Attempting
) -> AsyncIterator[Callable[[], None]]:
    """A worker that runs during the test; the value tells it to stop."""
    stop = asyncio.Event()
    worker = Worker(pool, where, attempting, Pace(8, LEASE, grace_s=5.0))
    task = asyncio.create_task(worker.run(stop))
    yield stop.set
    stop.set()
    await task


@contextlib.asynccontextmanager
async def _serving(app: web.Application, **options: Any) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, **options)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
