"""Faults injected for real; each tells how often it fired, and undoes itself."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from aiohttp import web

from tests.callbacks import receivers
from tests.faults.fleet import CALL_S, LEASE_S
from tests.faults.stage import Stage
from tests.faults.wire import burn, delay, hang, lose_commits, reset
from tests.flows import driving
from tests.up.driving import family

Inject = Callable[[Stage, Random], Awaitable[int]]
UPSTREAM_ENDS = frozenset({"exhausted"})
POISON_ENDS = UPSTREAM_ENDS | {
    "invalid_description",
    "no_description",
    "no_image",
    "unfaithful_edit",
}
# All of these are in use in any process; what is open stays open.
FEW_FILES = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One way to hurt a service: ``inject`` gives how often it fired.

    It is injected so many ``times`` in a run.  ``ends``: as what uploads may fail by it.
    ``charges``: it may end a worker's hold on uploads, which costs them an attempt.
    ``needs_root``: it needs rights over mounts.  ``pooled``: the service is behind PgBouncer, which
    pools by transaction.
    """

    inject: Inject
    times: int = 3
    ends: frozenset[str] = frozenset()
    charges: bool = False
    needs_root: bool = False
    pooled: bool = False


async def _busy(stage: Stage) -> bool:
    return stage.endpoint.under_way > 0


def _alive(stage: Stage, role: str) -> list[Process]:
    # The fleet itself hears of an end a moment later.
    return [one for one in stage.fleet.alive[role] if one.returncode is None]


async def _victim(stage: Stage, rng: Random, role: str) -> Process:
    """Choose a process of this role, once there is one that has something to do."""

    async def some() -> bool:
        return bool(_alive(stage, role))

    await driving.until(some, f"a process that can {role}")
    if role == "work":
        await driving.until(partial(_busy, stage), "calls are under way")
        await driving.until(some, f"a process that can {role}")
    return rng.choice(_alive(stage, role))


async def kill(role: str, stage: Stage, rng: Random) -> int:
    """End a process at once."""
    (await _victim(stage, rng, role)).kill()
    return 1


async def kill_decoder(stage: Stage, rng: Random) -> int:
    """End a worker's decoding children for a while, as the kernel does that has no memory."""
    worker = await _victim(stage, rng, "work")
    killed = 0
    for _ in range(20):
        for child in await asyncio.to_thread(family, worker.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                killed += 1
        await asyncio.sleep(0.05)
    return killed


async def freeze(stage: Stage, rng: Random) -> int:
    """Stop a worker for longer than its leases, then let it go on as if nothing had been."""
    worker = await _victim(stage, rng, "work")
    worker.send_signal(signal.SIGSTOP)
    await asyncio.sleep(LEASE_S * rng.uniform(1.8, 2.6))
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(signal.SIGCONT)
    return 1


async def stop(role: str, stage: Stage, rng: Random) -> int:
    """Tell a process to end in good order."""
    process = await _victim(stage, rng, role)
    process.terminate()
    async with asyncio.timeout(20):
        code = await process.wait()
    # Another fault may have killed it meanwhile, which is a number below zero.
    if code > 0:
        stage.load.faults.append(f"{role} ended with {code} after SIGTERM")
    return 1


async def stop_workers(stage: Stage, rng: Random) -> int:
    """Tell all workers to end in good order: once they have, nothing is held by anybody."""
    await _victim(stage, rng, "work")
    await stage.fleet.complete()
    stage.fleet.going.clear()
    try:
        workers = _alive(stage, "work")
        for worker in workers:
            worker.terminate()
        async with asyncio.timeout(20):
            codes = await asyncio.gather(*(worker.wait() for worker in workers))
        async with stage.owner() as conn:
            held = await conn.fetchval("SELECT count(*) FROM uploads WHERE state = 'working'")
        if held and not any(codes):
            stage.load.faults.append(f"{held} uploads wait for leases of workers that have ended")
    finally:
        stage.fleet.going.set()
    return len(workers)


async def crash_postgres(stage: Stage, rng: Random) -> int:
    """End the database without a checkpoint, and start it after a moment."""
    stage.end_postgres()
    await asyncio.sleep(rng.uniform(0, 1))
    await stage.start_postgres()
    return 1


async def poison(stage: Stage, rng: Random) -> int:
    """Let the upstream answer wrongly, for a second."""
    answering = stage.answering
    before, answering.chosen = answering.poisoned, rng
    answering.poisonous = 0.6
    await asyncio.sleep(1.0)
    answering.poisonous = 0.0
    return answering.poisoned - before


async def receive(handler: receivers.Handler, stage: Stage, _: Random) -> int:
    """Let receivers answer like this for a second, and keep nothing of what they were told."""
    stage.receiver.script = [handler]
    before = len(stage.receiver.came)
    await asyncio.sleep(1.0)
    stage.receiver.script = [stage.inbox]
    return len(stage.receiver.came) - before


async def hesitates(_: web.Request) -> web.StreamResponse:
    """Say nothing for long, then that it was not taken."""
    await asyncio.sleep(3)
    return web.Response(status=504)


async def limit_files(role: str, stage: Stage, rng: Random) -> int:
    """Leave a running process no file descriptor for a second."""
    pid = (await _victim(stage, rng, role)).pid
    return await _limited(pid, resource.RLIMIT_NOFILE, FEW_FILES, rng)


async def limit_memory(role: str, stage: Stage, rng: Random) -> int:
    """Leave a running process hardly any address space for a second."""
    pid = (await _victim(stage, rng, role)).pid
    told = await asyncio.to_thread(Path(f"/proc/{pid}/statm").read_text)
    pages = int(told.split()[0])
    return await _limited(pid, resource.RLIMIT_AS, (pages + 16) * resource.getpagesize(), rng)


async def _limited(pid: int, kind: int, soft: int, rng: Random) -> int:
    """Set a soft limit of another process, and give it back what it had."""
    try:
        before = resource.prlimit(pid, kind)
        resource.prlimit(pid, kind, (soft, before[1]))
    except ProcessLookupError:
        return 0
    await asyncio.sleep(rng.uniform(0.5, 1.5))
    # Another fault may have ended it meanwhile.
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, kind, before)
    return 1


async def fill(folder: Path, stage: Stage, rng: Random) -> int:
    """Fill the disk that a folder is on, for a second; a database that ends of it starts again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = bytes(1 << 20)
        with contextlib.suppress(OSError):
            while True:
                file.write(block)
        with contextlib.suppress(OSError):
            while True:
                file.write(block[:512])
    full = shutil.disk_usage(folder).free < 4096
    try:
        await asyncio.sleep(rng.uniform(0.5, 1.5))
    finally:
        ballast.unlink()
    await stage.start_postgres()
    return int(full)


async def fill_database(stage: Stage, rng: Random) -> int:
    """Fill the database's disk."""
    return await fill(stage.ground.disk, stage, rng)


async def fill_data(stage: Stage, rng: Random) -> int:
    """Fill the disk of the API's data directory."""
    return await fill(stage.ground.data, stage, rng)


FAULTS: Mapping[str, Fault] = {
    "kill -9 worker": Fault(partial(kill, "work"), charges=True),
    "kill -9 API": Fault(partial(kill, "serve")),
    "kill -9 deliver": Fault(partial(kill, "deliver")),
    "kill -9 decoder": Fault(kill_decoder, times=2),
    "worker frozen past its leases": Fault(freeze, times=2, charges=True),
    "SIGTERM worker": Fault(partial(stop, "work"), times=2),
    "SIGTERM all workers": Fault(stop_workers, times=1),
    "SIGTERM API": Fault(partial(stop, "serve"), times=2),
    "SIGTERM deliver": Fault(partial(stop, "deliver"), times=2),
    "Postgres stopped immediately": Fault(crash_postgres, times=2, charges=True),
    "Postgres connections reset": Fault(partial(reset, "wire"), times=6, charges=True),
    "Postgres connections cut": Fault(partial(burn, "wire"), times=3, charges=True),
    "Postgres connections hung": Fault(partial(hang, "wire", LEASE_S * 1.5), times=2, charges=True),
    "Postgres connections delayed": Fault(partial(delay, "wire"), times=3, charges=True),
    "connections reset before PgBouncer": Fault(
        partial(reset, "wire"), times=6, charges=True, pooled=True
    ),
    "COMMIT lost": Fault(lose_commits, times=3, charges=True),
    "upstream connections reset": Fault(partial(reset, "calls"), 6, UPSTREAM_ENDS),
    "upstream answers cut": Fault(partial(burn, "calls"), 3, UPSTREAM_ENDS),
    "upstream hung": Fault(partial(hang, "calls", CALL_S * 1.5), 2, UPSTREAM_ENDS),
    "upstream delayed": Fault(partial(delay, "calls"), 3, UPSTREAM_ENDS),
    "poison answers": Fault(poison, 4, POISON_ENDS),
    "receivers answer 500": Fault(partial(receive, receivers.says(500))),
    "receivers hang": Fault(partial(receive, hesitates), times=2),
    "receivers' connections reset": Fault(partial(reset, "posts"), times=8),
    "no file descriptors for a worker": Fault(partial(limit_files, "work")),
    "no file descriptors for an API": Fault(partial(limit_files, "serve")),
    "no file descriptors for a deliverer": Fault(partial(limit_files, "deliver")),
    "no memory for a worker": Fault(partial(limit_memory, "work")),
    "no memory for an API": Fault(partial(limit_memory, "serve")),
    "database's disk full": Fault(fill_database, times=2, charges=True, needs_root=True),
    "data folder's disk full": Fault(fill_data, times=2, needs_root=True),
}
