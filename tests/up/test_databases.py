"""A database of the operator's own, and what is refused about it."""

import asyncio
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from tests import draw
from tests.up import driving
from tests.up.driving import Up, until

DEBIAN = Path("/usr/lib/postgresql/15/bin")
# Nothing is sent there: with an upstream set, no detectors need to be started.
UPSTREAM: dict[str, Any] = {"upstream_url": "http://127.0.0.1:9/v1"}
SERVERS = [
    "wheel",
    pytest.param(
        "debian", marks=pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"there is no {DEBIAN}")
    ),
]


@pytest.fixture(scope="module", params=SERVERS)
def external(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedPostgres]:
    """A server that is not the service's: of the wheel, and of the oldest version allowed."""
    with EmbeddedPostgres(
        tmp_path_factory.mktemp("external"),
        binaries=DEBIAN if request.param == "debian" else None,
        settings={"fsync": "off"},
    ) as server:
        yield server


@pytest.fixture
def fresh(external: EmbeddedPostgres) -> str:
    """The address of an empty database."""
    name = f"fresh_{uuid.uuid4().hex}"
    driving.query(external.dsn("postgres", "postgres"), f"CREATE DATABASE {name}")
    return external.dsn(name, "postgres")


def test_up_uses_the_database_it_is_told(fresh: str, tmp_path: Path) -> None:
    """Uploads lie in the operator's database, and no other is started."""
    up = Up.start(tmp_path / "data", env=driving.environment(database_url=fresh, **UPSTREAM))
    try:
        accepted = up.ask("/v1/uploads", data=draw.png(40, 40, "teal"))
        (row,) = driving.query(fresh, "SELECT id, state FROM uploads")
        assert str(row["id"]) == accepted["id"]
    finally:
        ended = up.end(signal.SIGTERM)
    assert ended.code == 0, ended.err
    assert "database " not in ended.out
    assert not (tmp_path / "data" / "postgres").exists()
    assert not (tmp_path / "data" / "database").exists()


def test_migrate_says_what_it_did_and_then_that_nothing_is_left(fresh: str) -> None:
    """The first time it names migrations and rulesets, the second time there is nothing to do."""
    first = driving.run("migrate", database_url=fresh)
    assert first.code == 0, first.err
    assert first.out.splitlines()[0] == "0001_create_tables.sql"
    assert "ruleset privacy/1" in first.out.splitlines()
    second = driving.run("migrate", database_url=fresh)
    assert (second.code, second.out) == (0, "nothing to do\n")


@pytest.mark.parametrize("command", ["serve", "work"])
def test_database_without_tables_is_refused(fresh: str, command: str) -> None:
    """A role on a database that was never migrated ends with 2 and names the remedy."""
    ended = driving.run(command, database_url=fresh, **UPSTREAM)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert "moderation migrate" in line


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_asynchronous_commit_is_refused(fresh: str, tmp_path: Path, command: str) -> None:
    """A database that may lose what it has acknowledged is refused in one line, exit 2."""
    database = driving.query(fresh, "SELECT current_database() AS name")[0]["name"]
    driving.query(fresh, f"ALTER DATABASE {database} SET synchronous_commit = off")
    ended = driving.run(command, database_url=fresh, data_dir=tmp_path / "data", port=0)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert "synchronous_commit is off" in line


@pytest.mark.parametrize("command", ["up", "serve", "tokens"])
def test_unreachable_database_is_one_line(tmp_path: Path, command: str) -> None:
    """Exit 2 names the place and the reason, never the password."""
    arguments = [command, "list"] if command == "tokens" else [command]
    ended = driving.run(
        *arguments,
        database_url="postgresql://someone:hush@127.0.0.1:1/there",
        data_dir=tmp_path / "data",
        port=0,
        **UPSTREAM,
    )
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("moderation: cannot open the database 127.0.0.1/there: ")
    assert "hush" not in line


def test_up_survives_a_restart_of_the_database(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """While the operator's database is away the service is not ready; then it is again."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("restarted"), settings={"fsync": "off"})
    server.start()
    dsn = server.dsn("postgres", "postgres")
    up = Up.start(tmp_path / "data", env=driving.environment(database_url=dsn, **UPSTREAM))
    try:
        server.stop()
        until(lambda: up.ask("/readyz").get("status") != "ok", "unreadiness")
        server.start()
        until(lambda: up.ask("/readyz").get("status") == "ok", "readiness")
        assert up.ask("/v1/uploads", data=draw.png(40, 40, "plum"))["state"] == "queued"
        assert asyncio.run(_connections(dsn)) > 0
    finally:
        ended = up.end(signal.SIGTERM)
        server.stop()
    assert ended.code == 0, ended.err


async def _connections(dsn: str) -> int:
    conn = await asyncpg.connect(dsn)
    try:
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'moderation%'"
        )
        return int(await conn.fetchval(statement))
    finally:
        await conn.close()
