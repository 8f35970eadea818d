"""What the benchmark of intake runs: the service, Postgres, and ways to send to both."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from service import administering
from tests.benchmarks import arrivals, ground, machine
from tests.benchmarks.arrivals import Album, Arrival, Inserter, Uploader
from tests.flows import processes


@dataclass(frozen=True, slots=True)
class Block:
    """Arrivals in one go, and the seconds of CPU they cost."""

    album: Album
    ended: list[Arrival]
    took_s: float
    service_s: float
    postgres_s: float

    def times(self) -> list[float]:
        """Give the times of what was taken, in order, in ms."""
        return sorted(one.seconds * 1000 for one in self.ended if one.status == 202)


@dataclass(slots=True)
class Bench:
    """All that is up: the service, its database, and ways to send to both."""

    service_pid: int
    postgres_pid: int
    owner: "asyncpg.Connection[asyncpg.Record]"
    uploader: Uploader
    large: Uploader
    inserter: Inserter
    numbers: Iterator[int]
    ticked: Callable[[], None]

    async def block(self, send: Uploader | Inserter, rate: float, count: int) -> Block:
        """Let so many arrive."""
        before = machine.cpu_s(self.service_pid), machine.family_cpu_s(self.postgres_pid)
        numbers = list(itertools.islice(self.numbers, count))
        ended, took_s = await arrivals.arrive(send, numbers, rate, self.ticked)
        service_s = machine.cpu_s(self.service_pid) - before[0]
        return Block(
            send.album,
            ended,
            took_s,
            service_s,
            machine.family_cpu_s(self.postgres_pid) - before[1],
        )


@asynccontextmanager
async def opened(size: int, large_size: int, ticked: Callable[[], None]) -> AsyncIterator[Bench]:
    """Start all of it; the pictures have these numbers of bytes."""
    async with ground.opened() as base, AsyncExitStack() as stack:
        where, owner = base.where, base.owner
        token = (await administering.first_tokens(owner, base.folder / "tokens.json"))["platform"]
        await owner.execute("CREATE TABLE bare (data bytea)")
        await owner.execute("ALTER TABLE bare ALTER data SET STORAGE EXTERNAL")
        pool = await asyncpg.create_pool(where.owner_dsn, min_size=10, max_size=10)
        stack.push_async_callback(pool.close)
        process, url = await stack.enter_async_context(processes.serve(where))
        session = await stack.enter_async_context(arrivals.opened())
        album = Album(size)
        yield Bench(
            service_pid=process.pid,
            postgres_pid=base.postgres_pid,
            owner=owner,
            uploader=Uploader(session, url, token, album),
            large=Uploader(session, url, token, Album(large_size)),
            inserter=Inserter(pool, album),
            numbers=itertools.count(),
            ticked=ticked,
        )
