"""
What one API process takes: ``python -m tests.benchmarks.intake``.

This process sends and does nothing else; the service and Postgres are processes of their own.
Figures drift with what else the machine does, so compare with the bare INSERT of the same run.
"""

import asyncio
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import click

from tests.benchmarks import arrivals, machine, taking
from tests.benchmarks.arrivals import Arrival
from tests.benchmarks.taking import Bench, Block

SIZE: Final = 200_000
ROUNDS: Final = 3
WARM_UP: Final = 40
IDLE: Final = 10
OVERLOAD: Final = 4
# Well above what two cores take, and for so long.
FLOOD_PER_S: Final = 800
FLOOD_S: Final = 5
# Bodies near the limit, all at once.
LARGE: Final = 20
LARGE_SIZE: Final = 20_000_000
NOTES: Final = """\
Times are milliseconds from the moment an upload was due, so a stall counts for all that came \
in it. Uploads and bare INSERTs of the same bytes take turns, after some that are not counted; \
ratios are medians of the rounds. Memory is the highest resident size that the API process ever \
had, when that stage was over."""


@dataclass(frozen=True, slots=True)
class Stage:
    """
    What came of the arrivals of one kind; times in ms, CPU in ms an upload that was taken.

    ``p99_rounds`` has one value a round; the others are of all rounds together.
    """

    name: str
    asked_per_s: float
    taken_per_s: float
    p50: float
    p95: float
    p99: float
    longest: float
    p99_rounds: list[float]
    statuses: dict[str, int]
    memory_mb: float
    service_cpu_ms: float
    postgres_cpu_ms: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the database has of what was acknowledged, and what else it has."""

    acknowledged: int
    kept: int
    refused_but_kept: int
    unknown: int
    refused: int
    refused_told_when: int


@click.command()
@click.option("--rate", default=40.0, show_default=True, type=click.FloatRange(1))
@click.option("--seconds", default=30, show_default=True, type=click.IntRange(ROUNDS))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rate: float, seconds: int, *, as_json: bool) -> None:
    """
    Measure uploads at a rate, at four times that, in a flood, large ones at once, and when idle.

    Needs about 2 GB of disk for a minute or two.  Fails if an acknowledged upload is not in the
    database, or if there is one that was refused; no time makes it fail.

    \b
    Examples:
      python -m tests.benchmarks.intake
      python -m tests.benchmarks.intake --rate 80 --seconds 9
      python -m tests.benchmarks.intake --json > intake.json
    """  # noqa: D301  # click reads \b as "keep these lines"
    load_before = os.getloadavg()[0]
    total = WARM_UP * 2 + int(rate * seconds) // ROUNDS * ROUNDS * 2
    total += int(rate * seconds * OVERLOAD) + FLOOD_PER_S * FLOOD_S + LARGE + IDLE
    with click.progressbar(length=total, label="arrivals", file=sys.stderr) as bar:
        stages, ledger = asyncio.run(_measured(rate, seconds, lambda: bar.update(1)))
    load = f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after"
    if as_json:
        found = {"load": load, "stages": [asdict(one) for one in stages], "ledger": asdict(ledger)}
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(_report(stages, ledger, load))
    assert ledger.kept == ledger.acknowledged, f"acknowledged uploads are lost: {ledger}"
    assert ledger.refused_but_kept == ledger.unknown == 0, f"uploads came from nowhere: {ledger}"


async def _measured(
    rate: float, seconds: int, ticked: Callable[[], None]
) -> tuple[list[Stage], Ledger]:
    async with taking.opened(SIZE, LARGE_SIZE, ticked) as bench:
        sent = [await bench.block(bench.uploader, rate, WARM_UP)]
        await bench.block(bench.inserter, rate, WARM_UP)
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(await bench.block(bench.uploader, rate, int(rate * seconds) // ROUNDS))
            bare.append(await bench.block(bench.inserter, rate, int(rate * seconds) // ROUNDS))
        stages = [
            _stage("uploads", rate, ours, bench),
            _stage("bare INSERT", rate, bare, bench),
        ]
        sent += ours
        for name, uploader, a_second, count in (
            ("overload", bench.uploader, rate * OVERLOAD, int(rate * seconds * OVERLOAD)),
            ("flood", bench.uploader, FLOOD_PER_S, FLOOD_PER_S * FLOOD_S),
            ("20 MB at once", bench.large, LARGE * 10, LARGE),
        ):
            sent.append(await bench.block(uploader, a_second, count))
            stages.append(_stage(name, a_second, sent[-1:], bench))
        idle = [await _queued(bench) for _ in range(IDLE)]
        stages.append(_stage("idle, until queued", 1.0, idle, bench))
        return stages, await _ledger(bench, [*sent, *idle])


async def _queued(bench: Bench) -> Block:
    """Upload one, and see it queued; wait out the second."""
    began = time.monotonic()
    block = await bench.block(bench.uploader, 1.0, 1)
    upload = block.ended[0].upload
    state = await bench.owner.fetchval("SELECT state FROM uploads WHERE id = $1", upload)
    seconds = time.monotonic() - began
    assert state == "queued", f"upload {upload} is {state}, not queued"
    await asyncio.sleep(max(0.0, 1.0 - seconds))
    ended = [Arrival(block.ended[0].number, block.ended[0].status, seconds, upload)]
    return Block(block.album, ended, 1.0, block.service_s, block.postgres_s)


def _stage(name: str, rate: float, blocks: Sequence[Block], bench: Bench) -> Stage:
    ended = [one for block in blocks for one in block.ended]
    times = sorted(itertools.chain.from_iterable(block.times() for block in blocks))
    assert times, f"{name}: nothing was taken: {arrivals.statuses(ended)}"
    return Stage(
        name=name,
        asked_per_s=rate,
        taken_per_s=len(times) / sum(block.took_s for block in blocks),
        p50=arrivals.percentile(times, 0.5),
        p95=arrivals.percentile(times, 0.95),
        p99=arrivals.percentile(times, 0.99),
        longest=times[-1],
        p99_rounds=[arrivals.percentile(block.times() or [0.0], 0.99) for block in blocks],
        statuses=arrivals.statuses(ended),
        memory_mb=machine.highest_mb(bench.service_pid),
        service_cpu_ms=sum(block.service_s for block in blocks) * 1000 / len(times),
        postgres_cpu_ms=sum(block.postgres_s for block in blocks) * 1000 / len(times),
    )


async def _ledger(bench: Bench, blocks: Sequence[Block]) -> Ledger:
    """Compare the answers with the database, picture by picture."""
    rows = await bench.owner.fetch(
        "SELECT u.id::text, u.image_sha256 FROM uploads AS u"
        "  JOIN images AS i ON i.sha256 = u.image_sha256 AND sha256(i.data) = i.sha256"
    )
    have = {row["id"]: row["image_sha256"] for row in rows}
    pictures = set(have.values())
    ended = [(block.album.sha256(one.number), one) for block in blocks for one in block.ended]
    taken = {one.upload: sha256 for sha256, one in ended if one.status == 202}
    refused = [(sha256, one) for sha256, one in ended if one.status in (429, 503)]
    # What broke off may have been stored or not.
    broken = {sha256 for sha256, one in ended if one.status == arrivals.BROKEN}
    return Ledger(
        acknowledged=len(taken),
        kept=sum(have.get(upload) == sha256 for upload, sha256 in taken.items()),
        refused_but_kept=sum(sha256 in pictures for sha256, _ in refused),
        unknown=sum(
            upload not in taken and sha256 not in broken for upload, sha256 in have.items()
        ),
        refused=len(refused),
        refused_told_when=sum(one.told_when for _, one in refused),
    )


def _report(stages: Sequence[Stage], ledger: Ledger, load: str) -> str:
    ours, bare = stages[:2]
    ratio = statistics.median(
        one / other for one, other in zip(ours.p99_rounds, bare.p99_rounds, strict=True)
    )
    table = "\n".join(_line(one) for one in stages)
    return f"""\
| arrivals | asked/s | taken/s | p50 | p95 | p99 | longest | statuses | MB | API CPU | PG CPU |
|---|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|
{table}

p50 is {ours.p50 / bare.p50:.1f}x the bare INSERT's, p99 {ratio:.1f}x; p99 of the rounds \
{_listed(ours.p99_rounds)}, of the bare INSERT {_listed(bare.p99_rounds)}; load {load}.
Acknowledged {ledger.acknowledged}, of these kept with the same sha256 {ledger.kept}; \
refused {ledger.refused}, told when to come again {ledger.refused_told_when}, \
kept all the same {ledger.refused_but_kept}; kept and never sent {ledger.unknown}.

{NOTES}"""


def _line(one: Stage) -> str:
    statuses = ", ".join(f"{status}: {number}" for status, number in one.statuses.items())
    times = " | ".join(f"{ms:.1f}" for ms in (one.p50, one.p95, one.p99, one.longest))
    return (
        f"| {one.name} | {one.asked_per_s:g} | {one.taken_per_s:.1f} | {times} | {statuses} "
        f"| {one.memory_mb:.0f} | {one.service_cpu_ms:.1f} | {one.postgres_cpu_ms:.1f} |"
    )


def _listed(times: Sequence[float]) -> str:
    return ", ".join(f"{ms:.0f}" for ms in times)


if __name__ == "__main__":
    main()
