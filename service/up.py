"""Everything on one machine as one command: database, local edits endpoint and all roles."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import aiohttp
import asyncpg

from service import administering, data_folder, log, preparing, supervising
from service.data_folder import ADDRESS_FILE, DATABASE_FILE
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused, WorkFailed
from service.store.database import APPLICATION_ROLE, Database, speak_json
from service.supervising import Child

DATABASE = "moderation"
OWNER_ROLE = "moderation_owner"
READY_S = 120.0
POLL_S = 0.1
STOP_MARGIN_S = 10.0
FATAL_DEATHS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What to run.

    ``database`` None means one of our own; ``with_local`` starts the local edits endpoint;
    ``environment`` is the children's, to which is added what is found out here.
    """

    data_dir: Path
    host: str
    port: int
    workers: int
    local_processes: int
    grace_s: float
    database: Database | None
    with_local: bool
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """What is up: where it answers, where its database is, and one token for each role."""

    url: str
    database: Database
    superuser_dsn: str | None
    tokens: Mapping[str, str]
    tokens_path: Path


@asynccontextmanager
async def running(plan: Plan, stop: asyncio.Event) -> AsyncIterator[Running]:
    """
    Start all parts, keep them alive, and stop them in reverse when left.

    Raises:
        StartRefused: The port is taken, the data folder is in use, the database does not fit.
        WorkFailed: A part did not get ready, or ``stop`` was set before.
    """
    async with AsyncExitStack() as stack:
        data_folder.make(plan.data_dir)
        stack.enter_context(data_folder.owned(plan.data_dir))
        listener = stack.enter_context(_listener(plan.host, plan.port))
        held, gate = _gate(stack)
        postgres, where = _database(plan, stack)
        tokens_path = plan.data_dir / "tokens.json"
        if postgres is None:
            # Whatever can be refused is refused before the first process is started.
            tokens = await _prepare(where, tokens_path)
            children, waited_for = await _start(plan, stack, listener, held, where)
        else:
            # They import what they need while the database is made.
            children, waited_for = await _start(plan, stack, listener, held, where)
            await asyncio.to_thread(postgres.start)
            await bootstrap(postgres)
            tokens = await _prepare(where, tokens_path)
        gate.close()
        url = _address(listener)
        keeper = asyncio.create_task(_keep_alive(children, postgres))
        stack.push_async_callback(_cancel, keeper)
        for address in (f"{url}/readyz", *waited_for):
            await _wait_ready(address, children, stop)
        stack.enter_context(data_folder.noted(plan.data_dir / ADDRESS_FILE, url))
        if postgres is not None:
            stack.enter_context(data_folder.noted(plan.data_dir / DATABASE_FILE, where.owner_dsn))
        superuser = postgres.dsn(DATABASE, "postgres") if postgres else None
        yield Running(url, where, superuser, tokens, tokens_path)


def _gate(stack: AsyncExitStack) -> tuple[int, BinaryIO]:
    """Make a pipe: whoever holds its reading end waits there until the other is closed."""
    held, other = os.pipe()
    stack.callback(os.close, held)
    return held, stack.enter_context(os.fdopen(other, "wb"))


async def _prepare(where: Database, tokens_path: Path) -> dict[str, str]:
    """Bring the database up to date; give one token for each role."""
    for name in await preparing.prepare(where):
        log.get().info("prepared", name=name)
    conn = await where.connect_owner()
    try:
        await speak_json(conn)
        return await administering.first_tokens(conn, tokens_path)
    finally:
        await conn.close()


async def _start(
    plan: Plan,
    stack: AsyncExitStack,
    listener: socket.socket,
    gate: int,
    where: Database,
) -> tuple[list[Child], list[str]]:
    """
    Start every process; give them, and what besides the API must be ready.

    Those that need the database wait at the gate, the reading end of a pipe, until it is closed.
    """
    grace_s = plan.grace_s + STOP_MARGIN_S
    environment = {
        **plan.environment,
        "MODERATION_DATABASE_URL": where.dsn,
        "MODERATION_HOST": plan.host,
        "MODERATION_PORT": str(listener.getsockname()[1]),
    }
    helpers: list[Child] = []
    waited_for = []
    stack.push_async_callback(supervising.stop, helpers, grace_s)
    if plan.with_local:
        inside = stack.enter_context(_listener("127.0.0.1", 0))
        environment |= _local_upstream(inside)
        helpers.append(_local(plan, inside, environment))
        await helpers[0].start()
        waited_for.append(f"{_address(inside)}/healthz")
    roles = _roles(plan, listener, gate, environment)
    # They drain while the database and the local endpoint are still there.
    stack.push_async_callback(supervising.stop, roles, grace_s)
    for child in roles:
        await child.start()
    return [*helpers, *roles], waited_for


def _roles(
    plan: Plan, listener: socket.socket, gate: int, environment: Mapping[str, str]
) -> list[Child]:
    """Give the processes that wait at the gate."""
    # With a database of our own, which ends with us, they would have nothing to drain into.
    death = signal.SIGTERM if plan.database else signal.SIGKILL

    def role(name: str, command: str, *told: object, descriptors: tuple[int, ...] = ()) -> Child:
        arguments = (command, "--after", str(gate), *map(str, told))
        return Child(name, arguments, environment, (gate, *descriptors), death)

    port = listener.fileno()
    roles = [role("serve", "serve", "--fd", port, descriptors=(port,))]
    roles += [role(f"work-{number}", "work") for number in range(1, plan.workers + 1)]
    return [*roles, role("deliver", "deliver")]


def _database(plan: Plan, stack: AsyncExitStack) -> tuple[EmbeddedPostgres | None, Database]:
    """Tell where the database is, or will be once our own is started, which ``stack`` stops."""
    if plan.database is not None:
        return None, plan.database
    postgres = EmbeddedPostgres(plan.data_dir / "postgres")
    stack.push_async_callback(asyncio.to_thread, postgres.stop)
    return postgres, _logins(postgres)


async def bootstrap(postgres: EmbeddedPostgres) -> Database:
    """Make the database and its two logins, unless they are there: owner and application."""
    conn = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
    try:
        logins = {row["rolname"] for row in await conn.fetch("SELECT rolname FROM pg_roles")}
        for role in {OWNER_ROLE, APPLICATION_ROLE} - logins:
            await conn.execute(f"CREATE ROLE {role} LOGIN")
        await conn.execute(f"GRANT {APPLICATION_ROLE} TO {OWNER_ROLE}")
        known = await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE)
        if not known:
            await conn.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")
    finally:
        await conn.close()
    return _logins(postgres)


def _logins(postgres: EmbeddedPostgres) -> Database:
    return Database(
        dsn=postgres.dsn(DATABASE, APPLICATION_ROLE), owner_dsn=postgres.dsn(DATABASE, OWNER_ROLE)
    )


async def _keep_alive(children: list[Child], postgres: EmbeddedPostgres | None) -> None:
    while True:
        await asyncio.sleep(supervising.POLL_S)
        supervising.reap_orphans(children)
        for child in children:
            await child.revive()
        if postgres is not None and postgres.poll() is not None:
            log.get().error("postgres_died", status=postgres.poll())
            try:
                await asyncio.to_thread(postgres.start)
            except StartRefused as error:
                log.get().error("postgres_not_started", reason=str(error))
                await asyncio.sleep(supervising.LONGEST_WAIT_S)


async def _wait_ready(address: str, children: list[Child], stop: asyncio.Event) -> None:
    deadline = time.monotonic() + READY_S
    answer = "no answer"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while time.monotonic() < deadline:
            for child in children:
                if child.quick_deaths >= FATAL_DEATHS:
                    raise WorkFailed(f"the process {child.name} keeps dying; its log tells why")
            if stop.is_set():
                raise WorkFailed("stopped before everything was up")
            try:
                async with session.get(address) as response:
                    if response.status == 200:
                        return
                    answer = await response.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                answer = str(error)
            await asyncio.sleep(POLL_S)
    raise WorkFailed(f"{address} was not ready within {READY_S:.0f} s: {answer}")


def _local(plan: Plan, listener: socket.socket, environment: Mapping[str, str]) -> Child:
    descriptor = listener.fileno()
    arguments = ("local", "--fd", str(descriptor), "--processes", str(plan.local_processes))
    return Child("local", arguments, environment, (descriptor,))


def _local_upstream(listener: socket.socket) -> dict[str, str]:
    """Say all that it needs: options meant for another upstream may be set without its key."""
    return {
        "MODERATION_UPSTREAM_URL": f"{_address(listener)}/v1",
        "MODERATION_UPSTREAM_NAME": "local",
        "MODERATION_UPSTREAM_DIALECT": "openai-images",
        "MODERATION_UPSTREAM_MODEL": "local-detectors",
        "MODERATION_UPSTREAM_PRICE_USD": "0",
        "MODERATION_UPSTREAM_REPAIR": "edit",
    }


def _listener(host: str, port: int) -> socket.socket:
    """Listen here, so that connections queue while the process that accepts them restarts."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartRefused(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            "choose another port with --port or MODERATION_PORT (0 takes any)"
        ) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # any means here too
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
