"""
How many uploads one API process takes: ``python -m tests.benchmarks.throughput``.

Clients that wait for each answer before they send the next keep the service as busy as it can be;
so they do in turn with a bare server, which is its limit.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import click

from service import administering
from tests.benchmarks import arrivals, bare, bars, ground, machine
from tests.benchmarks.arrivals import Album, Uploader
from tests.benchmarks.bars import Bar, Report
from tests.flows import processes

OURS, LIMIT = "service", "limit"
SIZE: Final = 200_000
CLIENTS: Final = 8
NOTES: Final = """\
Uploads a second from the first request to the last answer, and CPU milliseconds an upload; \
medians of the rounds with the least and the most, the ratio is the median of those within a \
round. Distinct JPEG files of 200 kB as raw bodies over 8 connections kept open; the client \
takes the rest of the two cores. Both commit before they answer 202. The limit receives with \
aiohttp, digests and makes one INSERT; the service also knows the sender, reads the picture's \
header, counts quotas, keeps idempotency and queues the upload."""


@dataclass(slots=True)
class Lane:
    """One server, with uploads a second and CPU milliseconds an upload of each round."""

    name: str
    pid: int
    upload: Uploader
    per_s: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    postgres_ms: list[float] = field(default_factory=list)

    def row(self, limit: "Lane") -> dict[str, object]:
        """Write a line of the table."""
        return {
            "who": self.name,
            "uploads/s": statistics.median(self.per_s),
            "least": min(self.per_s),
            "most": max(self.per_s),
            "server, ms": statistics.median(self.server_ms),
            "Postgres, ms": statistics.median(self.postgres_ms),
            "of the limit": bars.of_rounds(self.per_s, limit.per_s),
        }


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--uploads", default=600, show_default=True, type=click.IntRange(CLIENTS))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rounds: int, uploads: int, *, as_json: bool) -> None:
    """
    Measure how many uploads of 200 kB one API process takes, beside a bare server.

    Needs about 2 GB of disk for a minute.  Fails if an upload is not taken; no time makes it fail.

    \b
    Examples:
      python -m tests.benchmarks.throughput
      python -m tests.benchmarks.throughput --rounds 2 --uploads 100
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    with click.progressbar(length=2 * (rounds + 1), label="blocks", file=sys.stderr) as bar:
        ours, limit = asyncio.run(_measured(rounds, uploads, lambda: bar.update(1)))
    ratio = bars.of_rounds(ours.per_s, limit.per_s)
    report = Report(
        "# Intake at its most",
        {**load.facts("aiohttp", "asyncpg"), "uploads in a block": uploads, "rounds": rounds},
        [[lane.row(limit) for lane in (ours, limit)]],
        [Bar("uploads/s, of the limit", ratio, 0.5)],
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


async def _measured(rounds: int, uploads: int, ticked: Callable[[], None]) -> tuple[Lane, Lane]:
    numbers = itertools.count()
    async with ground.opened() as base, _lanes(base) as (ours, limit):
        for number in range(rounds + 1):
            for lane in (ours, limit) if number % 2 else (limit, ours):
                await _block(base.postgres_pid, lane, itertools.islice(numbers, uploads), uploads)
                ticked()
    for lane in (ours, limit):
        # The first round only warms up.
        for figures in (lane.per_s, lane.server_ms, lane.postgres_ms):
            del figures[0]
    return ours, limit


@asynccontextmanager
async def _lanes(base: ground.Ground) -> AsyncIterator[tuple[Lane, Lane]]:
    """Start both servers, over the same Postgres."""
    async with AsyncExitStack() as stack:
        await base.owner.execute(bare.TABLE)
        tokens = await administering.first_tokens(base.owner, base.folder / "tokens.json")
        process, url = await stack.enter_async_context(processes.serve(base.where))
        pid, bare_url = stack.enter_context(bare.running(base.where.owner_dsn))
        session = await stack.enter_async_context(arrivals.opened())
        album = Album(SIZE)
        yield (
            Lane(OURS, process.pid, Uploader(session, url, tokens["platform"], album)),
            Lane(LIMIT, pid, Uploader(session, bare_url, "", album)),
        )


async def _block(postgres_pid: int, lane: Lane, numbers: Iterator[int], count: int) -> None:
    """Let the clients upload all of these."""

    async def client() -> None:
        for number in numbers:
            came = await lane.upload(number, time.monotonic())
            assert came.status == 202, f"{lane.name} answered {came.status}"

    def spent_s() -> tuple[float, float]:
        return machine.cpu_s(lane.pid), machine.family_cpu_s(postgres_pid)

    before, began = spent_s(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    lane.per_s.append(count / (time.monotonic() - began))
    server_s, postgres_s = (end - begin for begin, end in zip(before, spent_s(), strict=True))
    lane.server_ms.append(server_s * 1000 / count)
    lane.postgres_ms.append(postgres_s * 1000 / count)


if __name__ == "__main__":
    main()
