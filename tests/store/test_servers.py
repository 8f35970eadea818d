"""Other servers and other owners: each Postgres at hand, without superuser, without CREATEROLE."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from service import preparing
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused
from service.store import Pool, database
from service.store.database import Database
from tests.flows import claims
from tests.flows.driving import Owner

FIFTEEN = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module", params=["embedded", "15"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    """A server on which the application's role has not been made yet."""
    if request.param == "15" and not FIFTEEN.is_dir():
        pytest.skip("PostgreSQL 15 is not installed on this machine")
    binaries = FIFTEEN if request.param == "15" else None
    folder = tmp_path_factory.mktemp(f"postgres-{request.param}")
    with EmbeddedPostgres(folder, binaries=binaries, settings={"fsync": "off"}) as started:
        yield started


@pytest.fixture
async def superuser(server: EmbeddedPostgres) -> AsyncIterator[Owner]:
    """A superuser's connection; what a test made on the server is gone after it."""
    conn = await asyncpg.connect(server.dsn("postgres", "postgres"))
    yield conn
    await conn.execute("DROP DATABASE shop WITH (FORCE)")
    for role in ("moderation_app", "keeper"):
        await conn.execute(f"DROP ROLE IF EXISTS {role}")
    await conn.close()


async def shop(superuser: Owner, server: EmbeddedPostgres, rights: str) -> Database:
    """Make a database whose owner, also the application's login, has these rights."""
    await superuser.execute(f"CREATE ROLE keeper LOGIN {rights}")
    await superuser.execute("CREATE DATABASE shop OWNER keeper")
    dsn = server.dsn("shop", "keeper")
    return Database(dsn, dsn)


async def check_main_job(where: Database, superuser: Owner) -> None:
    """Prepare, then take one upload to its end as the application; its role owns nothing."""
    assert "0001_create_tables.sql" in await preparing.prepare(where)
    assert await preparing.prepare(where) == []
    pool: Pool = await where.pool(size=3, name="tests")
    claim = await claims.claimed(pool)
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT current_user") == database.APPLICATION_ROLE
        await claims.succeed(conn, claim)
        await claims.check_written(conn, claim.id)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("DELETE FROM records")
    await pool.close()
    can_login = await superuser.fetchval(
        "SELECT rolcanlogin OR rolsuper FROM pg_roles WHERE rolname = 'moderation_app'"
    )
    assert not can_login


async def test_superuser_as_owner(server: EmbeddedPostgres, superuser: Owner) -> None:
    """The simplest set-up: one login for everything."""
    await check_main_job(await shop(superuser, server, "SUPERUSER"), superuser)


async def test_owner_that_is_no_superuser(server: EmbeddedPostgres, superuser: Owner) -> None:
    """CREATEROLE is all that an owner needs."""
    await check_main_job(await shop(superuser, server, "CREATEROLE"), superuser)


async def test_owner_without_createrole_is_told_what_to_run(
    server: EmbeddedPostgres, superuser: Owner
) -> None:
    """The refusal holds the very statements that an administrator runs, after which it works."""
    where = await shop(superuser, server, "")
    with pytest.raises(StartRefused, match="keeper may not make the role") as refused:
        await preparing.prepare(where)
    statements = re.split(r"run: ", str(refused.value))[1]
    await superuser.execute(statements)
    await check_main_job(where, superuser)


async def test_owner_that_may_not_use_the_role_is_told_what_to_run(
    server: EmbeddedPostgres, superuser: Owner
) -> None:
    """Where the role was made for another database, only the grant is missing."""
    where = await shop(superuser, server, "")
    await superuser.execute("CREATE ROLE moderation_app NOLOGIN")
    with pytest.raises(StartRefused, match="keeper may not use the role") as refused:
        await preparing.prepare(where)
    await superuser.execute(re.split(r"run: ", str(refused.value))[1])
    await check_main_job(where, superuser)


async def test_starters_on_a_fresh_server_at_once(
    server: EmbeddedPostgres, superuser: Owner
) -> None:
    """Also the role, which belongs to the whole server, is made once."""
    where = await shop(superuser, server, "CREATEROLE")
    new = await asyncio.gather(*(preparing.prepare(where) for _ in range(4)))
    assert sum("0001_create_tables.sql" in one for one in new) == 1
    assert sum(len(one) > 0 for one in new) >= 1
