"""Queues in Postgres that take turns in the benchmark of claims: ours, and two that people use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import procrastinate
from pgqueuer.queries import EntrypointExecutionParameter, Queries
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from service import completing
from service.store import Pool, uploads
from service.store.database import Database
from tests.benchmarks import finished

CONNECTIONS = 4
BATCH = 10
LEASE = timedelta(seconds=30)
_TASK = "job"


class Queue(Protocol):
    """Jobs are added, claimed some at a time, and ended."""

    async def add(self, count: int) -> None:
        """Add so many jobs, which are due at once."""

    async def claim(self) -> list[Any]:
        """Take some; none if nothing is due."""

    async def end(self, job: Any) -> None:
        """Say that a job is done."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """
    The service's own table, by the functions of its worker.

    An end is all that is written of an upload that cannot be read: state, case and callback.
    """

    pool: Pool
    owner: "asyncpg.Connection[asyncpg.Record]"

    async def add(self, count: int) -> None:
        """Queue uploads."""
        await finished.queue(self.owner, count)

    async def claim(self) -> list[Any]:
        """Claim as a worker does."""
        async with self.pool.acquire() as conn:
            return list(await uploads.claim(conn, BATCH, LEASE))

    async def end(self, job: Any) -> None:
        """Fail the upload."""
        async with self.pool.acquire() as conn:
            await completing.fail(conn, job, "unreadable", None, "https://example.org")


@dataclass(frozen=True, slots=True)
class Procrastinate:
    """By the functions of its own worker; it claims one at a time and keeps what is done."""

    app: procrastinate.App
    manager: JobManager
    worker: int

    async def add(self, count: int) -> None:
        """Defer jobs."""
        deferrer = self.app.configure_task(_TASK, allow_unknown=True)
        arguments: list[dict[str, Any]] = [{"number": number} for number in range(count)]
        await deferrer.batch_defer_async(*arguments)

    async def claim(self) -> list[Any]:
        """Fetch one."""
        job = await self.manager.fetch_job(None, self.worker)
        return [job] if job else []

    async def end(self, job: Any) -> None:
        """Finish it."""
        await self.manager.finish_job(job, Status.SUCCEEDED, delete_job=False)


@dataclass(frozen=True, slots=True)
class Pgqueuer:
    """By the functions of its own worker; what is done moves to a log."""

    queries: Queries
    manager: Any

    async def add(self, count: int) -> None:
        """Enqueue jobs."""
        await self.queries.enqueue([_TASK] * count, [None] * count, [0] * count)

    async def claim(self) -> list[Any]:
        """Dequeue some."""
        parameters = {_TASK: EntrypointExecutionParameter(concurrency_limit=0)}
        return list(
            await self.queries.dequeue(
                batch_size=BATCH,
                entrypoints=parameters,  # type: ignore[arg-type]  # a NewType of str
                queue_manager_id=self.manager,
                global_concurrency_limit=None,
                heartbeat_timeout=LEASE,
            )
        )

    async def end(self, job: Any) -> None:
        """Log it as done."""
        await self.queries.log_jobs([(job, "successful", None)])


@asynccontextmanager
async def of_service(where: Database) -> AsyncIterator[Queue]:
    """Open ours."""
    pool, owner = await where.pool(size=CONNECTIONS, name="claims"), await where.connect_owner()
    try:
        yield Uploads(pool, owner)
    finally:
        await owner.close()
        await pool.close()


@asynccontextmanager
async def of_procrastinate(where: Database) -> AsyncIterator[Queue]:
    """Make its schema and open it."""
    connector = procrastinate.PsycopgConnector(
        conninfo=where.owner_dsn, min_size=CONNECTIONS, max_size=CONNECTIONS
    )
    app = procrastinate.App(connector=connector)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        manager = app.job_manager
        yield Procrastinate(app, manager, await manager.register_worker())


@asynccontextmanager
async def of_pgqueuer(where: Database) -> AsyncIterator[Queue]:
    """Make its schema and open it."""
    async with asyncpg.create_pool(
        where.owner_dsn, min_size=CONNECTIONS, max_size=CONNECTIONS
    ) as pool:
        queries = Queries.from_asyncpg_pool(pool)
        await queries.install()
        yield Pgqueuer(queries, uuid4())


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each claim that brought something, and of each end."""

    claims: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)


async def drained(queue: Queue, times: Times) -> float:
    """Claim and end jobs over all connections until there are none; gives the seconds it took."""
    clock = asyncio.get_running_loop().time

    async def one() -> None:
        while True:
            began = clock()
            jobs = await queue.claim()
            if not jobs:
                return
            times.claims.append(clock() - began)
            for job in jobs:
                began = clock()
                await queue.end(job)
                times.ends.append(clock() - began)

    began = clock()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one())
    return clock() - began
