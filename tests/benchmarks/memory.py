"""
What waiting costs: ``python -m tests.benchmarks.memory``.

One worker process with a thousand calls in flight: its memory while they wait for slow answers, and
what it makes of answers that take two seconds, beside the least that a loop can cost.
"""

import asyncio
import itertools
import resource
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import aiohttp
import click

from tests.benchmarks import bars, ground, lanes, machine, scripts, stub
from tests.benchmarks.bars import Bar, Report
from tests.benchmarks.ground import Ground
from tests.benchmarks.lanes import Kind, Lane

SAMPLE_S: Final = 0.1
LATENCY_S: Final = 2.0
HELD: Final = "held"
ANSWERED: Final = "answered"
NOTES: Final = """\
Photos of 64 x 64 px, answers of 300 kB. Held: every answer is held back until all calls must \
have gone out; memory is the worker's resident size, before and at most from the first call to \
the last commit, a call by the most that the upstream had under way at once. Answered: answers \
take 2 s; images a second from one moment to the last commit, of the service and of the loop that \
is the limit of small pictures in the pipeline's benchmark, with as many calls in flight; they \
take turns, ratios are medians of the ratios within a round. With 2 s an upstream has twice as \
many calls under way as there are images a second."""


@dataclass(frozen=True, slots=True)
class Held:
    """The worker's memory in MB, and the most calls that the upstream had under way at once."""

    before_mb: float
    highest_mb: float
    calls: int

    @property
    def a_call_mb(self) -> float:
        """Tell what one call takes."""
        return (self.highest_mb - self.before_mb) / self.calls


@click.command()
@click.option("--calls", default=1_000, show_default=True, type=click.IntRange(1, 1_000))
@click.option("--hold", "hold_s", default=30.0, show_default=True, help="Held answers, seconds.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--images", default=2_000, show_default=True, help="In a block.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(calls: int, hold_s: float, rounds: int, images: int, *, as_json: bool) -> None:
    """
    Measure memory and throughput of one worker with many calls in flight.

    Fails if an upload does not end as done; no figure makes it fail.

    \b
    Examples:
      python -m tests.benchmarks.memory
      python -m tests.benchmarks.memory --calls 50 --hold 5 --rounds 1 --images 100
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    # A connection is a descriptor, here, in the stub and in the worker.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held, opened = asyncio.run(_measured(calls, hold_s, rounds, images))
    ours, limit = ([block.per_s for block in lane.blocks] for lane in opened)
    ratio = bars.of_rounds(ours, limit)
    report = Report(
        "# Calls in flight",
        {**load.facts("aiohttp", "asyncpg"), "calls in flight": calls, "rounds": rounds},
        [
            [
                {
                    "calls under way at once": held.calls,
                    "worker before, MB": held.before_mb,
                    "worker at most, MB": held.highest_mb,
                    "MB a call": held.a_call_mb,
                }
            ],
            [_row(lane) for lane in opened],
        ],
        [
            Bar("memory of a call in flight, MB", held.a_call_mb, 1.0, at_most=True),
            Bar("images/s with 2 s of latency, of the limit", ratio, 0.9),
        ],
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


async def _measured(calls: int, hold_s: float, rounds: int, images: int) -> tuple[Held, list[Lane]]:
    small, _ = lanes.kinds(1)
    kind = replace(small, images=dict.fromkeys((lanes.OURS, lanes.LIMIT), images))
    waits_s = {HELD: (hold_s, hold_s), ANSWERED: (LATENCY_S, LATENCY_S)}
    answers = dict.fromkeys(waits_s, kind.answer())
    numbers = itertools.count()
    async with ground.opened() as base:
        await base.owner.execute(scripts.TABLE)
        with stub.running(answers, waits_s) as url:
            held = await _held(base, kind, url, numbers, calls)
            async with lanes.opened(base, kind, f"{url}/{ANSWERED}", calls) as opened:
                both = opened[:2]
                await _round(base, kind, both, numbers, calls / images, counted=False)
                with click.progressbar(range(rounds), label="rounds", file=sys.stderr) as bar:
                    for number in bar:
                        order = both if number % 2 == 0 else both[::-1]
                        await _round(base, kind, order, numbers, 1.0, counted=True)
                return held, both


async def _held(base: Ground, kind: Kind, url: str, numbers: Iterator[int], calls: int) -> Held:
    """Let so many calls wait at once, after a few that only warm the worker up."""
    async with lanes.opened(base, kind, f"{url}/{HELD}", calls) as opened:
        ours = opened[0]
        share = 1 / kind.images[lanes.OURS]
        await lanes.block(base, ours, kind.draw(numbers, share)[:8])
        before_mb = machine.resident_mb(ours.pid)
        files = kind.draw(numbers, calls * share)[:calls]
        work = asyncio.create_task(lanes.block(base, ours, files))
        highest_mb = before_mb
        while not work.done():
            highest_mb = max(highest_mb, machine.resident_mb(ours.pid))
            await asyncio.wait((work,), timeout=SAMPLE_S)
        await work
    async with aiohttp.ClientSession() as session, session.get(f"{url}/{HELD}") as response:
        return Held(before_mb, highest_mb, await response.json())


async def _round(
    base: Ground,
    kind: Kind,
    order: list[Lane],
    numbers: Iterator[int],
    share: float,
    *,
    counted: bool,
) -> None:
    files = kind.draw(numbers, share)
    for lane in order:
        block = await lanes.block(base, lane, files)
        if counted:
            lane.blocks.append(block)


def _row(lane: Lane) -> dict[str, object]:
    per_s = [block.per_s for block in lane.blocks]
    return {
        "who": lane.name,
        "images/s": statistics.median(per_s),
        "least": min(per_s),
        "most": max(per_s),
        "worker, ms": statistics.median(block.worker_ms for block in lane.blocks),
        "decoders, ms": statistics.median(block.decoders_ms for block in lane.blocks),
        "Postgres, ms": statistics.median(block.postgres_ms for block in lane.blocks),
    }


if __name__ == "__main__":
    main()
