"""Fixtures: a database in which nothing has been applied yet."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from tests.conftest import fresh_database


@pytest.fixture
async def empty(
    postgres: EmbeddedPostgres,
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as owner of an empty database."""
    async with fresh_database(postgres, template="template1") as made:
        conn = await made.connect_owner()
        yield conn
        await conn.close()
