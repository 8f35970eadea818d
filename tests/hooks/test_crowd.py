"""A thousand connections that wait for a gate cost the database next to nothing."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator

import aiohttp
import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from service.store import Conn, Pool, database
from service.store.database import Database
from tests.conftest import Api
from tests.hooks.posting import PNG
from tests.web import sending

WAITERS = 1000
DESCRIPTORS = 4096  # Both ends of every connection are in this process.
ASKS = "state NOT IN ('queued', 'working')"
END = """
    UPDATE uploads SET state = 'failed', outcome = 'exhausted', finished_at = now()
     WHERE id = $1 AND pg_notify('uploads_finished', $1::text) IS NOT NULL
"""


@pytest.fixture
def statements() -> list[str]:
    """Every statement that the API has sent."""
    return []


@pytest.fixture
async def pool(where: Database, statements: list[str]) -> AsyncIterator[Pool]:
    """Ten connections as the API has them, which note what they are asked."""

    def note(query: LoggedQuery) -> None:
        statements.append(query.query)

    async def begin(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
        await database.speak_json(conn)
        conn.add_query_logger(note)

    role = {"role": database.APPLICATION_ROLE}
    async with asyncpg.create_pool(
        where.dsn, min_size=1, max_size=10, init=begin, server_settings=role
    ) as opened:
        yield opened


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Let this process open as many as it takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def gate(api: Api, session: aiohttp.ClientSession, upload: str) -> str:
    """Wait for an upload's gate on a connection of one's own."""
    headers = {"Authorization": f"Bearer {api.platform.token}", "Prefer": "wait=60"}
    async with session.get(f"{api.url}/v1/uploads/{upload}/gate", headers=headers) as answer:
        told = await answer.json()
        return f"{answer.status} {told['gate']} {told['outcome']}"


@pytest.mark.usefixtures("descriptors")
async def test_a_thousand_wait_by_one_question(
    api: Api, owner: Conn, statements: list[str]
) -> None:
    """While they wait there is one poll for all of them; when the upload ends, all are answered."""
    upload = (await api.platform.upload(PNG))["id"]

    async def asked(times: int) -> None:
        async def so_often() -> bool:
            return sum(ASKS in one for one in statements) >= times

        await sending.until(so_often, 60)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        waiting = [asyncio.create_task(gate(api, session, upload)) for _ in range(WAITERS)]
        await asked(WAITERS)
        assert api.readiness.busy == WAITERS

        statements.clear()
        await asked(3)  # polls, 2 s apart
        meanwhile = len(statements)
        assert api.readiness.busy == WAITERS
        await owner.execute(END, upload)
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*waiting)

    assert meanwhile < 20
    assert answers == ["200 hold exhausted"] * WAITERS
