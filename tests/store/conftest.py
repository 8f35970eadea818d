"""Fixtures: databases in which nothing has been applied yet."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from service.store.database import Database
from tests.conftest import fresh_database


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """An empty database of this test's own."""
    async with fresh_database(postgres, template="template1") as made:
        yield made


@pytest.fixture
async def bare(empty: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as owner of the empty database."""
    conn = await empty.connect_owner()
    yield conn
    await conn.close()
