"""Somebody with every right, who can break what the service cannot."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from service.doctoring import Subject
from service.embedded.server import EmbeddedPostgres
from service.store import Pool, database
from service.store.database import Database
from tests.conftest import Api, configured
from tests.flows.driving import Owner
from tests.operating import world
from tests.upstream import Upstream


@pytest.fixture
async def superuser(owner: Owner, postgres: EmbeddedPostgres) -> AsyncIterator[Owner]:
    """A connection to the test's database for which no trigger and no foreign key counts."""
    name = await owner.fetchval("SELECT current_database()")
    conn = await asyncpg.connect(
        postgres.dsn(name, "postgres"), server_settings={"session_replication_role": "replica"}
    )
    await database.speak_json(conn)
    yield conn
    await conn.close()


@pytest.fixture
async def filled(
    api: Api, upstream: Upstream, owner: Owner, pool: Pool, working: Callable[[], None]
) -> None:
    """A database in which everything has happened once."""
    await world.fill(api, upstream, owner, pool, working)


@pytest.fixture
def subject(bare: Subject, where: Database) -> Subject:
    """A service that is in order."""
    return dataclasses.replace(bare, database=where)


@pytest.fixture
def bare(upstream: Upstream, tmp_path: Path) -> Subject:
    """A service in order but for its database."""
    return Subject(
        database=None,
        no_database="it is not set",
        upstreams=(configured(upstream.url),),
        no_upstreams=None,
        data_dir=tmp_path,
        host="127.0.0.1",
        public_url="http://127.0.0.1:8080",
        public_url_set=False,
        ruleset="privacy",
        lease_s=30,
        grace_s=20,
        concurrency=16,
        second_look=None,
        connections=25,
    )
