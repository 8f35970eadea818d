"""Who takes turns in the benchmark of the pipeline: the service, its limit, and two scripts."""

import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

import asyncpg

from service.policy.rulesets import Ruleset
from service.proof import Region
from service.store import rulesets
from tests.benchmarks import filling, machine, pictures, scripts, stub
from tests.benchmarks.ground import Ground
from tests.benchmarks.scripts import Given, Run
from tests.flows import processes

OURS, LIMIT, SCRIPT, COMPILED = "service", "limit", "plain script", "compiled script"
LONGEST_S: Final = 300.0
Go: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """Pictures of one size with so many places to hide, and how many each makes in a block."""

    name: str
    title: str
    size: tuple[int, int]
    places: int
    answer_bytes: int
    images: dict[str, int]

    def answer(self) -> bytes:
        """Write what the stub answers."""
        edited = pictures.Photos(*self.size).edited(self.places, self.answer_bytes)
        return stub.answer(scripts.DIALECT, edited, pictures.description(self.places))

    def count(self, lane: str, share: float) -> int:
        """Tell how many images a lane makes in this share of a block."""
        return max(2, round(self.images[lane] * share))

    def draw(self, numbers: Iterator[int], share: float) -> list[bytes]:
        """Draw pictures that nobody has seen yet, as many as the longest of the blocks needs."""
        photos = pictures.Photos(*self.size)
        most = max(self.count(lane, share) for lane in (OURS, LIMIT))
        return [photos.received(number) for number in itertools.islice(numbers, most)]


def kinds(places: int) -> tuple[Kind, Kind]:
    """Give the small pictures and the large ones; of these so many places are hidden."""
    small = Kind(
        name="small",
        title="64 x 64 px, answers of 300 kB",
        size=(64, 64),
        places=0,
        answer_bytes=300_000,
        images={OURS: 400, LIMIT: 800, SCRIPT: 120, COMPILED: 240},
    )
    large = Kind(
        name="large",
        title="1 MP JPEG, everything",
        size=(1152, 896),
        places=places,
        answer_bytes=0,
        images={OURS: 60, LIMIT: 60, SCRIPT: 120, COMPILED: 240},
    )
    return small, large


@dataclass(frozen=True, slots=True)
class Block:
    """What one block took: images a second, CPU milliseconds an image."""

    per_s: float
    worker_ms: float
    decoders_ms: float
    postgres_ms: float


@dataclass(slots=True)
class Lane:
    """
    Who makes pictures.

    ``stage`` prepares a block off the clock and gives what makes it; ``decoders_s`` reads the CPU
    of the processes that decode for the process ``pid``.
    """

    name: str
    pid: int
    stage: Callable[[Sequence[bytes]], Awaitable[Go]]
    decoders_s: Callable[[], float]
    blocks: list[Block] = field(default_factory=list)


async def block(base: Ground, lane: Lane, files: Sequence[bytes]) -> Block:
    """Let a lane make these pictures."""
    go = await lane.stage(files)
    before = _cpu_s(base, lane)
    began = time.monotonic()
    await go()
    took_s = time.monotonic() - began
    spent = zip(before, _cpu_s(base, lane), strict=True)
    return Block(len(files) / took_s, *((end - begin) * 1000 / len(files) for begin, end in spent))


def _cpu_s(base: Ground, lane: Lane) -> tuple[float, float, float]:
    return machine.cpu_s(lane.pid), lane.decoders_s(), machine.family_cpu_s(base.postgres_pid)


@asynccontextmanager
async def opened(
    base: Ground, kind: Kind, url: str, in_flight: int = scripts.IN_FLIGHT
) -> AsyncIterator[list[Lane]]:
    """Start a worker and open the scripts; the service is the first lane, its limit the second."""
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(
            processes.work(
                base.where, url, lease_s=30, decoders=scripts.PROCESSES, concurrency=in_flight
            )
        )
        given = await _given(base, kind, url, in_flight, stack)
        sample = pictures.Photos(*kind.size).received(0)
        me, others = os.getpid(), set(machine.children(os.getpid()))
        limit = (
            scripts.with_pictures(given, stack.enter_context(scripts.decoding()))
            if kind.places
            else scripts.lean(given, sample)
        )
        runs = {
            LIMIT: await stack.enter_async_context(limit),
            SCRIPT: await stack.enter_async_context(scripts.script(given, compiled=False)),
            COMPILED: await stack.enter_async_context(scripts.script(given, compiled=True)),
        }

        def decoders_s() -> float:
            return sum(map(machine.cpu_s, set(machine.children(me)) - others))

        yield [
            _service(base, process.pid),
            *(Lane(name, me, _staged(run), decoders_s) for name, run in runs.items()),
        ]
        await filling.check(base.owner)


def _service(base: Ground, pid: int) -> Lane:
    async def stage(files: Sequence[bytes]) -> Go:
        adding = base.owner.transaction()
        await adding.start()
        await filling.add(base.owner, files, pictures.RULESET)

        async def go() -> None:
            await adding.commit()
            await filling.ended(base.owner, LONGEST_S)

        return go

    return Lane(OURS, pid, stage, lambda: machine.family_cpu_s(pid) - machine.cpu_s(pid))


def _staged(run: Run) -> Callable[[Sequence[bytes]], Awaitable[Go]]:
    async def stage(files: Sequence[bytes]) -> Go:
        return partial(run, files)

    return stage


async def _given(
    base: Ground, kind: Kind, url: str, in_flight: int, stack: AsyncExitStack
) -> Given:
    version = await rulesets.live(base.owner, pictures.RULESET)
    assert version is not None, f"no version of {pictures.RULESET} is live"
    row = await rulesets.get(base.owner, pictures.RULESET, version)
    edits = {one.id: one.edit for one in Ruleset.model_validate_json(row["content_text"]).rules}
    pool = await asyncpg.create_pool(
        base.where.owner_dsn, min_size=scripts.CONNECTIONS, max_size=scripts.CONNECTIONS
    )
    stack.push_async_callback(pool.close)
    regions = tuple(
        Region(tuple(one["box_2d"]), edits[one["rule"]], one["rule"], ())
        for one in pictures.findings(kind.places)
    )
    return Given(url, row["prompt"], row["schema"], regions, pool, in_flight)
