"""A database that goes away while requests are under way, and comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from service.store import Conn
from service.store.database import Database
from tests.conftest import Api
from tests.web import sending
from tests.web.sending import NOTHING, PNG, stored

Answer = tuple[int, Any, Mapping[str, str]]
CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE datname = current_database() AND usename = 'moderation_app'
"""


class Wire:
    """The way to the database, which can be cut and mended."""

    def __init__(self) -> None:
        self.socket = ""
        self.port = 0
        self.open = True
        self._writers: set[asyncio.StreamWriter] = set()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection through, both ways, until either end or the wire is cut."""
        if not self.open:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_unix_connection(self.socket)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self.open = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A wire that leads nowhere yet."""
    between = Wire()
    server = await asyncio.start_server(between.pass_on, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    yield between
    between.cut()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def where(where: Database, wire: Wire) -> Database:
    """A database of its own, which the application reaches by the wire."""
    parts = urlsplit(where.dsn)
    query = parse_qs(parts.query)
    wire.socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
    dsn = f"postgresql://{parts.username}@127.0.0.1:{wire.port}{parts.path}?sslmode=disable"
    return Database(dsn, where.owner_dsn)


async def post(api: Api, **headers: str) -> Answer:
    """Upload an image, whatever comes of it."""
    return await api.platform.ask(
        "POST", "/v1/uploads", data=PNG, headers={"Content-Type": "image/png", **headers}
    )


async def check_recovers(api: Api) -> None:
    """Uploads are taken again within seconds, by the same process."""

    async def taken() -> bool:
        return (await post(api))[0] == 202

    await sending.until(taken)


async def test_without_its_database_the_api_says_so_and_recovers(
    api: Api, owner: Conn, wire: Wire
) -> None:
    """Every operation answers 503 that says when to come again; afterwards all is as before."""
    wire.cut()
    for caller, method, path in (
        (api.platform, "POST", "/v1/uploads"),
        (api.platform, "GET", "/v1/uploads/01a00000-0000-7000-8000-000000000000"),
        (api.moderator, "GET", "/v1/records"),
        (api.admin, "GET", "/metrics"),
    ):
        answer = await caller.ask(method, path)
        sending.check_problem(answer, 503, "database_unavailable")
        assert int(answer[2]["Retry-After"]) > 0
    status, body, _ = await api.admin.ask("GET", "/readyz")
    assert (status, body["status"]) == (503, "the database cannot be reached")
    assert (await api.admin.ask("GET", "/healthz"))[0] == 200
    assert await stored(owner) == NOTHING

    wire.open = True

    await check_recovers(api)
    assert (await api.admin.ask("GET", "/readyz"))[0] == 200


@pytest.mark.parametrize("how", ["the wire is cut", "the server ends every connection"])
async def test_an_upload_that_loses_its_database_is_a_503_and_nothing(
    api: Api, owner: Conn, wire: Wire, how: str
) -> None:
    """In the middle of transaction 1 the database goes: no 202, no row, and no stuck key."""
    async with owner.transaction():
        # The insert waits for this lock, so the fault hits it in the middle.
        await owner.execute("LOCK TABLE uploads IN EXCLUSIVE MODE")
        asking = asyncio.create_task(post(api, **{"Idempotency-Key": "k"}))

        async def waits() -> bool:
            return bool(await owner.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"))

        await sending.until(waits)
        if how == "the wire is cut":
            wire.cut()
        else:
            await owner.execute(CUT)
        async with asyncio.timeout(10):
            sending.check_problem(await asking, 503, "database_unavailable")
        # A server that was cut off notices only when it would answer, so it is ended as well.
        await owner.execute(CUT)

    wire.open = True
    assert await stored(owner) == NOTHING

    async def taken() -> bool:
        return (await post(api, **{"Idempotency-Key": "k"}))[0] == 202

    await sending.until(taken)
    assert await stored(owner) == {"images": 1, "uploads": 1, "idempotency_keys": 1}


@pytest.mark.parametrize(
    ("fault", "mended"),
    [
        ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1"),
        ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
    ],
)
async def test_a_database_that_lets_nobody_in_is_a_503(
    api: Api, owner: Conn, postgres: EmbeddedPostgres, fault: str, mended: str
) -> None:
    """A server that answers and refuses is no fault of ours either, and passes."""
    name = await owner.fetchval("SELECT current_database()")
    superuser = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        await superuser.execute(f"ALTER DATABASE {name} {fault}")
        await owner.execute(CUT)

        sending.check_problem(await post(api), 503, "database_unavailable")
        assert (await api.admin.ask("GET", "/readyz"))[0] == 503
    finally:
        await superuser.execute(f"ALTER DATABASE {name} {mended}")
        await superuser.close()

    await check_recovers(api)


async def test_a_committed_upload_is_no_error_when_the_database_goes_while_it_waits(
    api: Api, owner: Conn, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever waits for the end gets the 202 that was earned, since the upload is there."""
    asking = asyncio.create_task(post(api, Prefer="wait=2"))

    async def committed() -> bool:
        # The API says so once it knows, which is later than the database does.
        return "upload_accepted" in capsys.readouterr().err

    await sending.until(committed)
    wire.cut()
    status, body, _ = await asking

    assert status == 202
    assert await owner.fetchval("SELECT id::text FROM uploads") == body["id"]
