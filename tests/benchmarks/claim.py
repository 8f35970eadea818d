"""
What a million finished uploads cost those that come: ``python -m tests.benchmarks.claim``.

Claims and intake of a database in which many uploads have ended, beside one in which none has, and
claims of two queues in Postgres that people use.
"""

import asyncio
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg
import click

from service import administering
from service.store.database import Database, speak_json
from tests.benchmarks import arrivals, bars, finished, ground, machine, queues
from tests.benchmarks.arrivals import Album, Uploader
from tests.benchmarks.bars import Bar, Report
from tests.benchmarks.queues import Queue, Times
from tests.flows import processes

EMPTY, FULL = "service, none finished", "service, many finished"
SIZE: Final = 200_000
RATE: Final = 40.0
PACKAGES: Final = ("asyncpg", "procrastinate", "pgqueuer")
NOTES: Final = """\
Jobs a second from the first claim to the last end over 4 connections, and milliseconds of the \
claims that brought something (up to 10 jobs in ours and in pgqueuer, one in procrastinate). \
Blocks of all take turns; jobs a second are medians of the rounds, ratios medians of the ratios \
within a round, times of all rounds together. Each is driven by the functions that its own worker \
calls. An end of ours is all that is written of an upload that cannot be read: state, case and \
callback. Intake is of JPEG files of 200 kB at 40 a second by one `serve` each, milliseconds from \
the moment an upload was due to the 202."""


@dataclass(slots=True)
class Lane:
    """One queue, with the jobs a second of each round and the times of all rounds."""

    name: str
    queue: Queue
    per_s: list[float] = field(default_factory=list)
    times: Times = field(default_factory=Times)


@dataclass(slots=True)
class Door:
    """One API process, with the sorted times of each round's uploads, in ms."""

    name: str
    uploader: Uploader
    rounds: list[list[float]] = field(default_factory=list)

    def p99s(self) -> list[float]:
        """Give the p99 of each round."""
        return [arrivals.percentile(times, 0.99) for times in self.rounds]


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--jobs", default=1_500, show_default=True, help="In a block.")
@click.option("--seconds", default=10, show_default=True, help="Of intake in a round.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rows: int, rounds: int, jobs: int, seconds: int, *, as_json: bool) -> None:
    """
    Measure claims and intake with and without many finished uploads.

    Filling a million takes a minute or two and 2 GB of disk.

    \b
    Examples:
      python -m tests.benchmarks.claim
      python -m tests.benchmarks.claim --rows 20000 --rounds 2 --jobs 300 --seconds 3
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    queued, doors = asyncio.run(_measured(rows, rounds, jobs, seconds))
    report = Report(
        "# Claims and intake",
        {**load.facts(*PACKAGES), "finished uploads": rows, "rounds": rounds},
        [[_claims(lane, queued) for lane in queued], [_intake(door) for door in doors]],
        _bars(queued, doors),
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


async def _measured(
    rows: int, rounds: int, jobs: int, seconds: int
) -> tuple[list[Lane], list[Door]]:
    async with ground.opened() as base, AsyncExitStack() as stack:
        full = await ground.another(base, "filled", prepared=True)
        with_rows = await asyncpg.connect(base.postgres.dsn("filled", "postgres"))
        await finished.fill(with_rows, rows)
        await with_rows.close()
        peers = await ground.another(base, "peers", prepared=False)
        queued = [
            Lane(EMPTY, await stack.enter_async_context(queues.of_service(base.where))),
            Lane(FULL, await stack.enter_async_context(queues.of_service(full))),
            Lane("procrastinate", await stack.enter_async_context(queues.of_procrastinate(peers))),
            Lane("pgqueuer", await stack.enter_async_context(queues.of_pgqueuer(peers))),
        ]
        doors = [
            await _door(EMPTY, base.where, stack),
            await _door(FULL, full, stack),
        ]
        with click.progressbar(range(rounds + 1), label="rounds", file=sys.stderr) as bar:
            for number in bar:
                await _round(queued if number % 2 else queued[::-1], jobs, counted=number > 0)
        numbers = itertools.count()
        with click.progressbar(length=3 * 2 * seconds, label="intake", file=sys.stderr) as bar:
            for _ in range(3):
                for door in doors:
                    await _upload(door, itertools.islice(numbers, int(RATE * seconds)))
                    bar.update(seconds)
        return queued, doors


async def _door(name: str, where: Database, stack: AsyncExitStack) -> Door:
    """Start an API process and get a platform's token for it."""
    owner = await where.connect_owner()
    await speak_json(owner)
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    token = (await administering.first_tokens(owner, Path(folder) / "tokens.json"))["platform"]
    await owner.close()
    _, url = await stack.enter_async_context(processes.serve(where))
    session = await stack.enter_async_context(arrivals.opened())
    return Door(name, Uploader(session, url, token, Album(SIZE)))


async def _round(order: Sequence[Lane], jobs: int, *, counted: bool) -> None:
    """Let each queue drain a block of jobs."""
    for lane in order:
        await lane.queue.add(jobs)
        took_s = await queues.drained(lane.queue, lane.times if counted else Times())
        if counted:
            lane.per_s.append(jobs / took_s)


async def _upload(door: Door, numbers: Iterable[int]) -> None:
    """Let uploads arrive; all must be taken."""
    ended, _ = await arrivals.arrive(door.uploader, list(numbers), RATE, lambda: None)
    assert {one.status for one in ended} == {202}, arrivals.statuses(ended)
    door.rounds.append(sorted(one.seconds * 1000 for one in ended))


def _claims(lane: Lane, queued: Sequence[Lane]) -> dict[str, object]:
    claims, ends = sorted(lane.times.claims), sorted(lane.times.ends)
    return {
        "queue": lane.name,
        "jobs/s": statistics.median(lane.per_s),
        "least": min(lane.per_s),
        "most": max(lane.per_s),
        "of none finished": bars.of_rounds(lane.per_s, queued[0].per_s),
        "claims": len(claims),
        "claim p50, ms": arrivals.percentile(claims, 0.5) * 1000,
        "claim p99, ms": arrivals.percentile(claims, 0.99) * 1000,
        "end p50, ms": arrivals.percentile(ends, 0.5) * 1000,
        "end p99, ms": arrivals.percentile(ends, 0.99) * 1000,
    }


def _intake(door: Door) -> dict[str, object]:
    times = sorted(itertools.chain.from_iterable(door.rounds))
    return {
        "intake": door.name,
        "uploads": len(times),
        "p50, ms": arrivals.percentile(times, 0.5),
        "p99, ms": arrivals.percentile(times, 0.99),
        "p99 of the rounds, ms": ", ".join(f"{p99:.0f}" for p99 in door.p99s()),
    }


def _bars(queued: Sequence[Lane], doors: Sequence[Door]) -> list[Bar]:
    empty, full = queued[:2]
    p99_ms = arrivals.percentile(sorted(full.times.claims), 0.99) * 1000
    return [
        Bar("a claim with many finished uploads, p99, ms", p99_ms, 50, at_most=True),
        Bar("jobs/s with many finished, of none", bars.of_rounds(full.per_s, empty.per_s), 0.8),
        Bar(
            "intake with many finished, p99, of none",
            bars.of_rounds(doors[1].p99s(), doors[0].p99s()),
            2,
            at_most=True,
        ),
    ]


if __name__ == "__main__":
    main()
