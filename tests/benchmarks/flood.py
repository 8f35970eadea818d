"""
What one platform's flood costs another: ``python -m tests.benchmarks.flood``.

One worker process; uploads of a quiet platform come at a steady rate, alone and while thousands of
another are queued before them.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from typing import Final

import click

from tests.benchmarks import arrivals, filling, ground, lanes, machine, pictures, stub
from tests.benchmarks.bars import Bar, Report
from tests.benchmarks.ground import Ground
from tests.flows import processes

QUIET: Final = "quiet"
FLOODING: Final = "flooding"
LATENCY_S: Final = 2.0
ENDED_S: Final = 120.0
# The flood is there, or is put off until never.
DUE: Final = """
    UPDATE uploads SET due_at = CASE WHEN $2 THEN now() ELSE 'infinity' END
     WHERE platform = $1 AND state = 'queued'
"""
OPEN: Final = "SELECT count(*) FROM uploads WHERE platform = $1 AND finished_at IS NULL"
WORKING: Final = "SELECT count(*) FROM uploads WHERE platform = $1 AND state = 'working'"
WAITS: Final = """
    SELECT extract(epoch FROM finished_at - received_at)::float8 AS s
      FROM uploads WHERE platform = $1 AND received_at >= $2 AND state = 'done' ORDER BY s
"""
NOTES: Final = """\
Seconds from the commit of an upload to the commit of its result, of the quiet platform. Answers \
take 2 s, give or take a share (--spread); the worker has 16 calls in flight and 2 decoders, and \
the flood keeps all of them busy. Photos of 64 x 64 px, answers of 300 kB. Rounds take turns; the \
ratios are those of all rounds together. Alone, a wait is little more than the answer. Beside the \
flood it is the wait for the next call to end, too: with --spread 0 all calls end together, so \
that the longest is two answers."""


@click.command()
@click.option("--flood", "size", default=5_000, show_default=True, help="Uploads of the flood.")
@click.option("--rate", default=2.0, show_default=True, help="Of the quiet platform, a second.")
@click.option("--seconds", default=25, show_default=True, help="Of each in a round.")
@click.option(
    "--spread",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Answers take 2 s, give or take this share.",
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(
    size: int, rate: float, seconds: int, spread: float, rounds: int, *, as_json: bool
) -> None:
    """
    Measure how long a platform waits while another floods the service.

    \b
    Examples:
      python -m tests.benchmarks.flood
      python -m tests.benchmarks.flood --flood 200 --seconds 5 --rounds 1
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    alone, flooded, left = asyncio.run(_measured(size, rate, seconds, spread, rounds))
    report = Report(
        "# A flood of another platform",
        {
            **load.facts("asyncpg"),
            "flood": size,
            "of it still queued at the end": left,
            "spread of answers": spread,
            "rounds": rounds,
        },
        [[_row("alone", alone), _row("beside the flood", flooded)]],
        [
            Bar(
                f"wait beside the flood, {name}, of alone",
                _of(flooded, alone, share),
                2,
                at_most=True,
            )
            for name, share in (("p50", 0.5), ("p99", 0.99))
        ],
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


async def _measured(
    size: int, rate: float, seconds: int, spread: float, rounds: int
) -> tuple[list[float], list[float], int]:
    small, _ = lanes.kinds(1)
    photos, numbers = pictures.Photos(*small.size), itertools.count(1)
    waits_s = (LATENCY_S * (1 - spread), LATENCY_S * (1 + spread))
    alone: list[float] = []
    flooded: list[float] = []
    async with ground.opened() as base:
        async with base.owner.transaction():
            files = [photos.received(0)] * size
            await filling.add(base.owner, files, pictures.RULESET, FLOODING)
            await base.owner.execute(DUE, FLOODING, False)
        with (
            stub.running({small.name: small.answer()}, {small.name: waits_s}) as url,
            click.progressbar(range(rounds), label="rounds", file=sys.stderr) as bar,
        ):
            async with processes.work(
                base.where, f"{url}/{small.name}", lease_s=30, decoders=2, concurrency=16
            ):
                for _ in bar:
                    alone += await _waits(base, photos, numbers, rate, seconds)
                    await base.owner.execute(DUE, FLOODING, True)
                    flooded += await _waits(base, photos, numbers, rate, seconds)
                    await base.owner.execute(DUE, FLOODING, False)
                    await _until_none(base, WORKING, FLOODING)
                left: int = await base.owner.fetchval(OPEN, FLOODING)
        assert left, f"a flood of {size} was over before the end; it must be larger"
        return sorted(alone), sorted(flooded), left


async def _waits(
    base: Ground, photos: pictures.Photos, numbers: Iterator[int], rate: float, seconds: int
) -> list[float]:
    """Let the quiet platform upload at its rate; give the seconds to the end of each."""
    began_at = await base.owner.fetchval("SELECT now()")
    began = time.monotonic()
    for place, number in enumerate(itertools.islice(numbers, max(2, int(rate * seconds)))):
        await asyncio.sleep(max(0.0, began + place / rate - time.monotonic()))
        async with base.owner.transaction():
            files = [photos.received(number)]
            await filling.add(base.owner, files, pictures.RULESET, QUIET)
    await _until_none(base, OPEN, QUIET)
    return [row["s"] for row in await base.owner.fetch(WAITS, QUIET, began_at)]


async def _until_none(base: Ground, statement: str, platform: str) -> None:
    async with asyncio.timeout(ENDED_S):
        while await base.owner.fetchval(statement, platform):
            await asyncio.sleep(0.1)


def _of(flooded: list[float], alone: list[float], share: float) -> float:
    return arrivals.percentile(flooded, share) / arrivals.percentile(alone, share)


def _row(name: str, waits: list[float]) -> dict[str, object]:
    return {
        "quiet platform": name,
        "uploads": len(waits),
        "p50, s": arrivals.percentile(waits, 0.5),
        "p99, s": arrivals.percentile(waits, 0.99),
        "longest, s": waits[-1],
    }


if __name__ == "__main__":
    main()
