"""Several hosts in one address: the one is used that takes writes, also when that changes."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from service import app
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused
from service.store import Pool
from service.store.database import Database
from tests.flows.driving import Owner

READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = on"


def with_dead_first(dsn: str) -> str:
    """Put a host before the server's that nobody is at."""
    return dsn.replace("?host=", "?host=%2Fnowhere,").replace("port=", "port=1,")


async def ask_on(pool: Pool) -> None:
    """Ask until that fails."""
    async with asyncio.timeout(10):
        while True:
            await pool.fetchval("SELECT 1")


async def test_a_host_that_is_away_is_passed_over(where: Database) -> None:
    """All that is opened finds the other one: pools, single connections, migrations."""
    several = Database(with_dead_first(where.dsn), with_dead_first(where.owner_dsn))
    async with app.opened(several, "tests", 1) as pool:
        assert await pool.fetchval("SELECT 1") == 1
    for conn in (await several.connect(name="tests"), await several.connect_owner()):
        assert await conn.fetchval("SELECT 1") == 1
        await conn.close()


async def test_a_server_that_takes_no_writes_is_refused_unless_asked_for(
    where: Database, owner: Owner
) -> None:
    """A standby alone is no database for us; whoever says `any` gets it all the same."""
    await owner.execute(READ_ONLY.format(await owner.fetchval("SELECT current_database()")))
    with pytest.raises(StartRefused, match="cannot open the database"):
        async with app.opened(where, "tests", 1):
            pass
    asked = replace(where, dsn=f"{where.dsn}&target_session_attrs=any")
    conn = await asked.connect(name="tests")
    await conn.close()


async def test_connections_to_a_server_that_became_read_only_are_given_up(
    pool: Pool, postgres: EmbeddedPostgres
) -> None:
    """Once the server has said so the pool uses it no longer, and does again afterwards."""
    superuser = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    assert await pool.fetchval("SELECT 1") == 1
    try:
        await superuser.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await superuser.execute("SELECT pg_reload_conf()")
        with pytest.raises((asyncpg.ConnectionDoesNotExistError, asyncpg.InternalClientError)):
            await ask_on(pool)
    finally:
        await superuser.execute("SET default_transaction_read_only = off")
        await superuser.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await superuser.execute("SELECT pg_reload_conf()")
        await superuser.close()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await pool.fetchval("SELECT 1") == 1
                break
            except (asyncpg.ConnectionDoesNotExistError, asyncpg.InternalClientError):
                await asyncio.sleep(0.05)
