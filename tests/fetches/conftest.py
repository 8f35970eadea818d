"""Fixtures of fetching."""

from collections.abc import AsyncIterator

import pytest

from service.embedded.server import EmbeddedPostgres
from tests import fetches
from tests.conftest import fresh_database
from tests.flows.driving import Owner


@pytest.fixture
def fetch_hosts() -> tuple[str, ...]:
    """Images may be fetched from loopback."""
    return fetches.HOSTS


@pytest.fixture
async def bare(postgres: EmbeddedPostgres) -> AsyncIterator[Owner]:
    """A connection as owner of a database in which nothing was applied yet."""
    async with fresh_database(postgres, template="template1") as made:
        conn = await made.connect_owner()
        yield conn
        await conn.close()
