"""What a database must promise, and what is said when it cannot be opened."""

import asyncio
import re
import socket
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service import preparing, resources
from service.errors import StartRefused
from service.store import database, migrations
from service.store.database import Database
from tests.flows.driving import Owner
from tests.flows.processes import ROOT


async def test_asynchronous_commit_of_the_database_is_refused(empty: Database, bare: Owner) -> None:
    """A server that acknowledges what it may lose is refused before anything is applied."""
    name = await bare.fetchval("SELECT current_database()")
    await bare.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(StartRefused, match=r"synchronous_commit is off.*allowed: on"):
        await preparing.prepare(empty)
    assert await bare.fetchval("SELECT to_regclass('uploads')") is None


async def test_asynchronous_commit_of_the_login_is_refused(where: Database, owner: Owner) -> None:
    """The check sees what the application's own sessions get, not only what the owner gets."""
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
    await database.check(owner)
    pool = await Database(f"{where.dsn}&options=-c%20synchronous_commit%3Doff", "").pool(
        size=1, name="tests"
    )
    async with pool.acquire() as conn:
        with pytest.raises(StartRefused, match="synchronous_commit is off"):
            await database.check(conn)
    await pool.close()


@pytest.mark.parametrize("allowed", ["on", "local", "remote_write", "remote_apply"])
async def test_other_kinds_of_commit_are_allowed(allowed: str, owner: Owner) -> None:
    """Everything that waits for the local disk at least is fine."""
    await owner.execute(f"SET synchronous_commit = {allowed}")
    await database.check(owner)


@pytest.mark.parametrize("major", [9, 14])
async def test_server_too_old_is_refused(major: int) -> None:
    """The message names the version found and the oldest that is allowed."""
    # No such server is at hand; the connection is asked for nothing but its version.
    old = SimpleNamespace(get_server_version=lambda: SimpleNamespace(major=major, minor=7))
    with pytest.raises(StartRefused, match=f"PostgreSQL {major}.7.* needs 15 or newer"):
        await database.check(cast("Any", old))


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


UNREACHABLE = {
    "refused": (f"postgresql://someone:hidden@127.0.0.1:{_closed_port()}/db", "127.0.0.1/db: "),
    "unknown host": ("postgresql://someone:hidden@nowhere.invalid/db", "nowhere.invalid/db: "),
    "no socket": ("postgresql:///db?host=/nonexistent&password=hidden", "/nonexistent/db: "),
    "not an address": ("hidden", "invalid DSN"),
    "other scheme": ("mysql://someone:hidden@127.0.0.1/db", "invalid DSN"),
    "slash in the password": ("postgresql://someone:hid/den@127.0.0.1/db", "percent-encode"),
    "hash in the password": ("postgresql://someone:hid#den@127.0.0.1/db", "percent-encode"),
    "question mark in the password": ("postgresql://x:hid?den@127.0.0.1/db", "percent-encode"),
    "digits and a slash": ("postgresql://nowhere.invalid:1/hidden@127.0.0.1/db", "cannot open"),
    "half an IPv6 address": ("postgresql://someone:hidden@[::1/db", "malformed"),
    "bad sslmode": ("postgresql://someone:hidden@127.0.0.1/db?sslmode=maybe", "sslmode"),
}


@pytest.mark.parametrize("name", UNREACHABLE)
async def test_database_that_cannot_be_opened_is_one_clear_line(name: str) -> None:
    """It says which one and why, in one line, and nothing of the password."""
    dsn, words = UNREACHABLE[name]
    where = Database(dsn, dsn)
    for opening in (where.connect_owner(), where.pool(size=1, name="tests")):
        with pytest.raises(StartRefused) as refused:
            await opening
        said = str(refused.value)
        assert words in said
        assert "\n" not in said
        assert not re.search("hid|den", said)


async def test_worker_refuses_a_database_that_was_never_migrated(empty: Database) -> None:
    """The command ends with 2 and one line that says what to run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "work",
        cwd=ROOT,
        env={
            "MODERATION_DATABASE_URL": empty.dsn,
            "MODERATION_UPSTREAM_URL": "http://127.0.0.1:9/v1",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    need = migrations.read(resources.folder("migrations"))[-1].version
    line = (
        f"moderation: the database is at migration 0000 and this code needs {need:04d}: "
        "run `moderation migrate`"
    )
    assert said.decode().splitlines() == [line]
