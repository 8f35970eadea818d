"""A whole service to be hurt: its processes, its Postgres, both ends, and proxies in between."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import asyncpg

from service import administering, up
from service.administering import Order
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused
from service.store import database
from service.store.database import Database
from tests.callbacks import driving as callbacks
from tests.callbacks import receivers
from tests.faults.answering import Answering, Inbox
from tests.faults.fleet import CALL_S, RESTART_S, Fleet
from tests.faults.load import PAUSE_S, Load
from tests.faults.proxy import Chaos
from tests.flows import cutting, driving
from tests.flows.cutting import Cutter
from tests.flows.driving import Owner
from tests.flows.processes import HERE, Origin
from tests.limits.endpoint import Endpoint
from tests.resisting.bouncing import bouncer

PLATFORMS = ("alpha", "beta", "gamma")
QUIET_S = 60.0
ROLES = {"serve": 2, "work": 2, "deliver": 2}
_OPEN = """
    SELECT (SELECT count(*) FROM uploads WHERE state IN ('queued', 'working'))
         + (SELECT count(*) FROM delivery_jobs WHERE state = 'waiting')
"""
_UNFINISHED = """
    SELECT id::text, state, waiting_for, attempt, charges, due_at - now() AS due FROM uploads
     WHERE state IN ('queued', 'working') LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """
    A Postgres that may be hurt, on ``disk``; APIs have their data on ``data``.

    ``small``: both are disks of their own, which can be filled.
    """

    postgres: EmbeddedPostgres
    disk: Path
    data: Path
    small: bool


@dataclass(slots=True)
class Stage:
    """
    Everything that is on stage.

    ``where`` is the database itself; the service is told of it through ``wire``, a proxy, behind
    which ``cutter`` can cut at a chosen statement.  ``calls`` and ``posts`` are the proxies before
    the upstream and before the receivers.
    """

    ground: Ground
    where: Database
    wire: Chaos
    cutter: Cutter
    calls: Chaos
    posts: Chaos
    endpoint: Endpoint
    answering: Answering
    receiver: receivers.Receiver
    inbox: Inbox
    fleet: Fleet
    load: Load
    said: list[bytes]
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextlib.asynccontextmanager
    async def owner(self) -> AsyncIterator[Owner]:
        """Open a connection of the test's own as the tables' owner, past the proxies."""
        conn = await self.where.connect_owner()
        try:
            await database.speak_json(conn)
            yield conn
        finally:
            conn.terminate()

    async def enrol(self, conn: Owner, url: str) -> None:
        """Let every platform send, and be called back at this server by its own path."""
        for name in PLATFORMS:
            made = await administering.create_token(conn, Order("platform", name))
            self.load.tokens[name] = made.token
            subscribed = await callbacks.subscribe(conn, urljoin(url, f"/{name}"), name)
            self.inbox.secrets[f"/{name}"] = subscribed.secret or ""

    def end_postgres(self) -> None:
        """End the server without a checkpoint, as `pg_ctl stop -m immediate` does."""
        if self.ground.postgres.pid is not None:
            os.kill(self.ground.postgres.pid, signal.SIGQUIT)

    async def start_postgres(self) -> None:
        """Start the server, again and again while it refuses; it recovers by its log."""
        async with asyncio.timeout(QUIET_S), self.starting:
            while True:
                try:
                    await asyncio.to_thread(self.ground.postgres.start)
                except StartRefused:
                    await asyncio.sleep(RESTART_S)
                else:
                    return

    async def quiet(self) -> None:
        """Hurry what waits for another try until nothing is left to do; this deadline is I2."""

        async def nothing_open() -> bool:
            async with self.owner() as conn:
                await driving.forgive(conn)
                await callbacks.make_due(conn)
                return not await conn.fetchval(_OPEN)

        async with asyncio.timeout(QUIET_S):
            while not await nothing_open():
                await asyncio.sleep(0.7)

    async def unfinished(self) -> list[str]:
        """Tell what is still to be done."""
        async with self.owner() as conn:
            uploads = await conn.fetch(_UNFINISHED)
            waiting = await conn.fetchval(_OPEN)
        return [f"{waiting} uploads and deliveries", *(str(dict(row)) for row in uploads)]


@contextlib.asynccontextmanager
async def fresh(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """Make a migrated database; the server may be ended and started meanwhile."""
    name = f"faults_{uuid.uuid4().hex}"
    await _as_superuser(
        postgres, f"CREATE DATABASE {name} TEMPLATE {up.DATABASE} OWNER {up.OWNER_ROLE}"
    )
    try:
        yield Database(
            dsn=postgres.dsn(name, database.APPLICATION_ROLE),
            owner_dsn=postgres.dsn(name, up.OWNER_ROLE),
        )
    finally:
        await asyncio.to_thread(postgres.start)
        await _as_superuser(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def _as_superuser(postgres: EmbeddedPostgres, statement: str) -> None:
    conn = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


@contextlib.asynccontextmanager
async def staged(
    ground: Ground,
    *,
    roles: Mapping[str, int] = ROLES,
    root: Path = HERE.root,
    changes: Sequence[str] = (),
    takes_s: float = 0.15,
    pause_s: float = PAUSE_S,
    pooled: bool = False,
) -> AsyncIterator[Stage]:
    """
    Start a service of the code in ``root``, with load that is ready to run.

    ``changes`` are statements that the tables' owner runs first.  ``takes_s`` is how long a call
    takes, ``pause_s`` how long a client pauses.  ``pooled``: the service reaches its database
    through PgBouncer, and ``cutter`` does nothing.
    """
    more = {"upstream_timeout_s": str(CALL_S + takes_s)}
    if pooled:
        more["pooler"] = "transaction"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        where = await enter(fresh(ground.postgres))
        cutter, behind = await enter(cutting.cutter(where))
        if pooled:
            behind = await enter(bouncer(where, ground.data / f"bouncer-{uuid.uuid4().hex}"))
        wire = await enter(Chaos(_address(behind.dsn)).opened())
        answering = Answering()
        endpoint = await enter(Endpoint(takes_s=takes_s, answer=answering).opened())
        calls = await enter(Chaos(_address(endpoint.url)).opened())
        said: list[bytes] = []
        wired = Database(_moved(behind.dsn, wire), where.owner_dsn)
        origin = Origin(root, said)
        fleet = Fleet(roles, wired, f"http://127.0.0.1:{calls.port}/v1", origin, ground.data, more)
        load = Load({}, lambda: fleet.addresses, pause_s)
        inbox = Inbox(load.state_of)
        receiver = await enter(receivers.receiving(inbox))
        posts = await enter(Chaos(_address(receiver.url)).opened())
        told = Stage(
            ground,
            where,
            wire,
            cutter,
            calls,
            posts,
            endpoint,
            answering,
            receiver,
            inbox,
            fleet,
            load,
            said,
        )
        async with told.owner() as conn:
            for change in changes:
                await conn.execute(change)
            await told.enrol(conn, f"http://127.0.0.1:{posts.port}")
        await enter(fleet.running())
        yield told


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def _moved(dsn: str, proxy: Chaos) -> str:
    parts = urlsplit(dsn)
    return dsn.replace(f":{parts.port}/", f":{proxy.port}/")
