"""
What one worker process makes of uploads: ``python -m tests.benchmarks.pipeline``.

From the claim to the commit, by a real `work` process over a real Postgres, with an upstream in a
process of its own that answers at once; beside it the same work by scripts, in the same run.
"""

import asyncio
import itertools
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from tests.benchmarks import bars, ground, lanes, machine, pictures, profiling, scripts, stub
from tests.benchmarks.bars import Bar, Report
from tests.benchmarks.ground import Ground
from tests.benchmarks.lanes import COMPILED, LIMIT, OURS, SCRIPT, Block, Kind, Lane
from tests.benchmarks.profiling import Profile

ROUNDS: Final = 5
WARM_UP: Final = 0.1
PACKAGES: Final = ("aiohttp", "asyncpg", "openai", "jsonschema", "jsonschema-rs", "pybase64")
BOUNDS: Final = {"small": ((LIMIT, 0.6), (COMPILED, 3.0)), "large": ((LIMIT, 0.8), (SCRIPT, 1.5))}
NOTES: Final = """\
Images a second, from one moment to the last commit, and CPU milliseconds an image; the worker of \
a script is the process that runs it. Blocks of all take turns, after one that is not counted; \
figures are medians of the rounds with the least and the most, ratios medians of the ratios \
within a round. All have 16 calls in flight; the service has 2 decoders, leases of 30 s, durable \
commits, a price and budgets to look at. The limit of the small pictures is a loop with a body \
built beforehand, slices, pybase64, jsonschema-rs and one INSERT; that of the large ones does \
also all picture work, by the service's own functions in two processes. The scripts do none of \
it. Descriptions have 3 kB, ten findings under ruleset marketplace. Small: photos of 64 x 64 px, \
answers a JPEG of 300,000 bytes (filled up with comments, which decoders pass over), no place to \
hide. Large: JPEG photos of 1,152 x 896 px, answers a JPEG of as many pixels and 300 kB, some of \
the ten places hidden (--places)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All lanes of one kind, and a profile if one was asked for."""

    kind: Kind
    lanes: list[Lane]
    profile: Profile | None


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(1))
@click.option(
    "--share",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.01, 10),
    help="Of the images of a block; they are those of a few seconds.",
)
@click.option(
    "--only",
    type=click.Choice(list(BOUNDS)),
    help="Only one of the two sizes.",
)
@click.option(
    "--profile",
    "profile_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write here, as Markdown, where one more block of the service spends its CPU (py-spy).",
)
@click.option(
    "--places",
    type=click.IntRange(1, len(pictures.BOXES)),
    default=3,
    show_default=True,
    help="Of ten findings in a large picture, those that are hidden.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(
    rounds: int,
    share: float,
    only: str | None,
    profile_file: Path | None,
    places: int,
    *,
    as_json: bool,
) -> None:
    """
    Measure the pipeline from the claim to the commit, beside scripts and the least it can cost.

    Fails if an upload does not end as done, or its edit is not proven; no time makes it fail.

    \b
    Examples:
      python -m tests.benchmarks.pipeline
      python -m tests.benchmarks.pipeline --rounds 2 --share 0.3 --only small
      python -m tests.benchmarks.pipeline --only large --rounds 1 --profile profile.md
    """  # noqa: D301  # click reads \b as "keep these lines"
    # Each of its threads would only spin; the service's decoders say so themselves.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    load = machine.Load.now()
    kinds = [kind for kind in lanes.kinds(places) if only in (None, kind.name)]
    found = asyncio.run(_measured(kinds, rounds, share, profiled=profile_file is not None))
    if profile_file is not None:
        profiles = [one.profile.markdown(one.kind.title) for one in found if one.profile]
        profile_file.write_text("\n\n".join(profiles) + "\n", "utf-8")
    report = Report(
        "# Pipeline",
        {**load.facts(*PACKAGES), "rounds": rounds},
        [[_row(one, lane) for lane in one.lanes] for one in found],
        [bar for one in found for bar in _bars(one)],
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


async def _measured(
    kinds: Sequence[Kind], rounds: int, share: float, *, profiled: bool
) -> list[Measured]:
    async with ground.opened() as base:
        await base.owner.execute(scripts.TABLE)
        numbers = itertools.count()
        length = len(kinds) * (rounds + 1 + profiled)
        with click.progressbar(length=length, label="rounds", file=sys.stderr) as bar:

            def ticked() -> None:
                bar.update(1)

            return [
                await _kind(base, kind, rounds, share, numbers, ticked, profiled=profiled)
                for kind in kinds
            ]


async def _kind(
    base: Ground,
    kind: Kind,
    rounds: int,
    share: float,
    numbers: Iterator[int],
    ticked: Callable[[], None],
    *,
    profiled: bool,
) -> Measured:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(stub.running({kind.name: kind.answer()}))
        opened = await stack.enter_async_context(lanes.opened(base, kind, f"{url}/{kind.name}"))
        await _round(base, kind, opened, numbers, share * WARM_UP)
        ticked()
        for number in range(rounds):
            order = opened if number % 2 == 0 else opened[::-1]
            for lane, block in zip(
                order, await _round(base, kind, order, numbers, share), strict=True
            ):
                lane.blocks.append(block)
            ticked()
        profile = None
        if profiled:
            with profiling.profiled(opened[0].pid) as profile:
                await _round(base, kind, opened[:1], numbers, share)
            ticked()
        return Measured(kind, opened, profile)


async def _round(
    base: Ground, kind: Kind, order: Sequence[Lane], numbers: Iterator[int], share: float
) -> list[Block]:
    """Let each make a block of pictures that the service has not seen yet."""
    files = kind.draw(numbers, share)
    return [await lanes.block(base, lane, files[: kind.count(lane.name, share)]) for lane in order]


def _row(found: Measured, lane: Lane) -> dict[str, object]:
    """Write a line of the table; the ratios are of images a second."""
    per_s = [block.per_s for block in lane.blocks]
    middle = statistics.median
    return {
        "pictures": found.kind.title,
        "who": lane.name,
        "images/s": middle(per_s),
        "least": min(per_s),
        "most": max(per_s),
        "worker, ms": middle(block.worker_ms for block in lane.blocks),
        "decoders, ms": middle(block.decoders_ms for block in lane.blocks),
        "Postgres, ms": middle(block.postgres_ms for block in lane.blocks),
        "of the limit": _ratio(found, lane.name, LIMIT),
        "of the plain script": _ratio(found, lane.name, SCRIPT),
        "of the compiled": _ratio(found, lane.name, COMPILED),
    }


def _ratio(found: Measured, ours: str, theirs: str) -> float:
    rates = {lane.name: [block.per_s for block in lane.blocks] for lane in found.lanes}
    return bars.of_rounds(rates[ours], rates[theirs])


def _bars(found: Measured) -> list[Bar]:
    return [
        Bar(f"{found.kind.title}: images/s, of the {name}", _ratio(found, OURS, name), bound)
        for name, bound in BOUNDS[found.kind.name]
    ]


if __name__ == "__main__":
    main()
