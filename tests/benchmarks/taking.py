"""What the benchmark of intake runs: the service, Postgres, and ways to send to both."""

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from service import administering, preparing, up
from service.embedded.server import EmbeddedPostgres
from service.store.database import Database, speak_json
from tests.benchmarks import arrivals
from tests.benchmarks.arrivals import Album, Arrival, Inserter, Uploader
from tests.flows import processes

_TICKS_S: Final = os.sysconf("SC_CLK_TCK")


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
        before = cpu_s(self.service_pid), family_cpu_s(self.postgres_pid)
        numbers = list(itertools.islice(self.numbers, count))
        ended, took_s = await arrivals.arrive(send, numbers, rate, self.ticked)
        service_s = cpu_s(self.service_pid) - before[0]
        return Block(
            send.album, ended, took_s, service_s, family_cpu_s(self.postgres_pid) - before[1]
        )


@asynccontextmanager
async def opened(size: int, large_size: int, ticked: Callable[[], None]) -> AsyncIterator[Bench]:
    """Start all of it; the pictures have these numbers of bytes."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_folder())
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        where = await up.bootstrap(postgres)
        await preparing.prepare(where)
        owner = await _connected(where, stack)
        token = (await administering.first_tokens(owner, folder / "tokens.json"))["platform"]
        await owner.execute("CREATE TABLE bare (data bytea)")
        await owner.execute("ALTER TABLE bare ALTER data SET STORAGE EXTERNAL")
        pool = await asyncpg.create_pool(where.owner_dsn, min_size=10, max_size=10)
        stack.push_async_callback(pool.close)
        process, url = await stack.enter_async_context(processes.serve(where))
        session = await stack.enter_async_context(arrivals.opened())
        album = Album(size)
        assert postgres.pid is not None
        yield Bench(
            service_pid=process.pid,
            postgres_pid=postgres.pid,
            owner=owner,
            uploader=Uploader(session, url, token, album),
            large=Uploader(session, url, token, Album(large_size)),
            inserter=Inserter(pool, album),
            numbers=itertools.count(),
            ticked=ticked,
        )


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that the server's account, which root's is not, can pass."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


async def _connected(
    where: Database, stack: AsyncExitStack
) -> "asyncpg.Connection[asyncpg.Record]":
    conn = await where.connect_owner()
    stack.push_async_callback(conn.close)
    await speak_json(conn)
    return conn


def cpu_s(pid: int, *, reaped: bool = False) -> float:
    """Read the CPU time of a process, and of the children it has seen end; see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if reaped else 13]) / _TICKS_S


def family_cpu_s(pid: int) -> float:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_s(pid, reaped=True) + sum(cpu_s(int(child)) for child in children)


def highest_mb(pid: int) -> float:
    """Read the highest resident size; see proc(5)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"process {pid} tells no VmHWM")
