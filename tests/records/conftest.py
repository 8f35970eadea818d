"""One database a module with a population in it, for tests that only read."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from service.store import database
from service.store.database import Database
from tests.conftest import TEMPLATE, fresh_database
from tests.records import filling
from tests.records.population import Made, Population

COUNT = 1500


@dataclass(frozen=True, slots=True)
class Filled:
    """A database and what was put into it, the oldest first."""

    where: Database
    made: list[Made]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect as the application's role."""
        conn = await asyncpg.connect(self.where.dsn)
        try:
            await database.speak_json(conn)
            yield conn
        finally:
            await conn.close()


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres) -> Iterator[Filled]:
    """A population whose cases the database made itself."""
    made = list(Population(7, findings=4).made(COUNT))
    with asyncio.Runner() as runner:
        context = fresh_database(postgres, template=TEMPLATE)
        where = runner.run(context.__aenter__())
        runner.run(_fill(where, made))
        yield Filled(where, made)
        runner.run(context.__aexit__(None, None, None))


async def _fill(where: Database, made: list[Made]) -> None:
    owner = await where.connect_owner()
    await filling.prepare(owner)
    await filling.add(owner, made)
    await owner.execute("ANALYZE")
    await owner.close()
