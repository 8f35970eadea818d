"""Fixtures: databases in which nothing has been applied yet."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from service import up
from service.embedded.server import EmbeddedPostgres
from service.store import database
from service.store.database import Database


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """An empty database of this test's own."""
    name = f"empty_{uuid.uuid4().hex}"
    superuser = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        await superuser.execute(f"CREATE DATABASE {name} OWNER {up.OWNER_ROLE}")
        yield Database(
            dsn=postgres.dsn(name, database.APPLICATION_ROLE),
            owner_dsn=postgres.dsn(name, up.OWNER_ROLE),
        )
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await superuser.close()


@pytest.fixture
async def bare(empty: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as owner of the empty database."""
    conn = await empty.connect_owner()
    yield conn
    await conn.close()
