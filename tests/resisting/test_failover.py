"""Two servers in one address: the first is killed under load, and its standby is promoted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service import preparing, up
from service.embedded.server import EmbeddedPostgres
from service.store.database import APPLICATION_ROLE, Database
from tests.callbacks import receivers
from tests.faults import checker
from tests.faults.answering import Answering, Inbox
from tests.faults.fleet import Fleet
from tests.faults.load import Load
from tests.faults.proxy import Chaos
from tests.faults.stage import Ground, Stage
from tests.flows.cutting import Cutter
from tests.flows.processes import HERE
from tests.limits.endpoint import Endpoint
from tests.resisting import standby
from tests.resisting.loading import loaded, some_more

BOUND_S = 90
ROLES = {"serve": 1, "work": 1, "deliver": 1}


@pytest.mark.slow
async def test_all_goes_on_with_the_standby(tmp_path: Path) -> None:
    """No process is started again, and nothing is lost of what was acknowledged."""
    with EmbeddedPostgres(tmp_path / "first", settings=standby.SETTINGS) as first:
        await preparing.prepare(await up.bootstrap(first))
        async with (
            asyncio.timeout(BOUND_S),
            standby.standby(first, tmp_path / "second") as second,
            over_both(first, second, tmp_path) as stage,
        ):
            async with loaded(stage.load):
                await some_more(stage.load)
                stage.end_postgres()
                await standby.promote(second)
                await some_more(stage.load)
            await stage.quiet()
            found = await checker.violations(stage, ends=(), charges=False)
            assert not found, "\n".join(found)
            assert stage.fleet.started == len(ROLES)
            assert stage.inbox.came


@contextlib.asynccontextmanager
async def over_both(first: EmbeddedPostgres, second: Path, folder: Path) -> AsyncIterator[Stage]:
    """Run the service over two servers; no proxy is before anything."""
    folders = (folder / "first" / "sockets", second)
    where = Database(
        standby.dsn(up.DATABASE, APPLICATION_ROLE, *folders),
        standby.dsn(up.DATABASE, up.OWNER_ROLE, *folders),
    )
    none = Chaos(("127.0.0.1", 0))
    answering, said = Answering(), list[bytes]()
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        endpoint = await enter(Endpoint(takes_s=0.15, answer=answering).opened())
        fleet = Fleet(ROLES, where, endpoint.url, HERE, folder, {})
        load = Load({}, lambda: fleet.addresses)
        inbox = Inbox(load.state_of)
        receiver = await enter(receivers.receiving(inbox))
        stage = Stage(
            ground=Ground(first, folder, folder, small=False),
            where=where,
            wire=none,
            cutter=Cutter(),
            calls=none,
            posts=none,
            endpoint=endpoint,
            answering=answering,
            receiver=receiver,
            inbox=inbox,
            fleet=fleet,
            load=load,
            said=said,
        )
        async with stage.owner() as conn:
            await stage.enrol(conn, receiver.url)
        await enter(fleet.running())
        yield stage
