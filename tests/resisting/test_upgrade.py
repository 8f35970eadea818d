"""A fleet upgrades while uploads come in: old processes, then both kinds, then new ones."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service import up
from service.embedded.server import EmbeddedPostgres
from service.store import migrations
from service.store.database import Database
from tests.faults import checker
from tests.faults.fleet import Fleet
from tests.faults.stage import Ground, Stage, staged
from tests.flows.processes import ROOT, Origin
from tests.resisting import previous
from tests.resisting.loading import loaded, some_more
from tests.up.driving import run

BOUND_S = 90
ROLES = {"serve": 1, "work": 1, "deliver": 1}


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The previous code."""
    return previous.unpack(tmp_path)


@pytest.fixture
def ground(before: Path, tmp_path: Path) -> Iterator[Ground]:
    """A server whose database the previous code has migrated."""
    disk, data = tmp_path / "disk", tmp_path / "data"
    data.mkdir()
    settings = {"fsync": "off", "max_connections": "200"}
    with EmbeddedPostgres(disk, settings=settings) as server:
        migrate(asyncio.run(up.bootstrap(server)), before)
        yield Ground(server, disk, data, small=False)


@pytest.mark.slow
async def test_uploads_go_on_while_a_fleet_upgrades(ground: Ground, before: Path) -> None:
    """Migrated under load, then new processes, then the old ones stopped: each upload ends once."""
    levels, ended = [], []
    async with (
        asyncio.timeout(BOUND_S),
        staged(ground, roles=ROLES, root=before) as stage,
        checker.watching(stage.where) as watch,
        contextlib.AsyncExitStack() as later,
    ):
        async with loaded(stage.load):
            await some_more(stage.load)
            levels.append(await level(stage))
            await asyncio.to_thread(migrate, stage.where, ROOT)
            levels.append(await level(stage))
            await some_more(stage.load)
            await later.enter_async_context(beside(stage))
            await some_more(stage.load)
            ended += await stopped(stage.fleet)
            await some_more(stage.load)
        await stage.quiet()
        found = await checker.violations(stage, ends=(), charges=False)
    new = migrations.read(ROOT / "migrations")[-1].version
    assert levels[0] < levels[1] == new
    assert ended == [0] * len(ROLES)
    assert not found, "\n".join(found)
    assert not watch.seen
    assert stage.inbox.came


def migrate(where: Database, root: Path) -> None:
    """Run the command with the code in a folder."""
    ended = run("migrate", cwd=root, database_url=where.dsn, owner_database_url=where.owner_dsn)
    assert ended.code == 0, ended.err


async def level(stage: Stage) -> int:
    """Tell up to where the database is migrated."""
    async with stage.owner() as conn:
        return await migrations.level(conn)


@contextlib.asynccontextmanager
async def beside(stage: Stage) -> AsyncIterator[None]:
    """Run the new code until all is done; clients are told of its API too."""
    old = stage.fleet
    new = Fleet(ROLES, old.where, old.upstream_url, Origin(ROOT, stage.said), old.data_dir, {})
    stage.load.addresses = lambda: [*old.addresses, *new.addresses]
    async with new.running():
        yield


async def stopped(fleet: Fleet) -> list[int]:
    """Tell every process to stop, as a supervisor does, and give how each ended."""
    fleet.going.clear()
    ending = [one for alive in fleet.alive.values() for one in alive]
    for one in ending:
        one.send_signal(signal.SIGTERM)
    return [await one.wait() for one in ending]
