"""
How long until `moderation up` is ready: ``python -m tests.benchmarks.cold_start``.

From the start of the process until it says where it is, which it does once all parts are ready; in
an empty folder, where it makes a database first, and in the same folder again.
"""

import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from tests.benchmarks import ground, machine
from tests.benchmarks.bars import Bar, Report
from tests.up import driving
from tests.up.driving import Up

SAYS: Final = "moderation is up at "
POLL_S: Final = 0.01
LONGEST_S: Final = 120.0
# Sizes as they are by default, and an upstream that nobody calls, so that none has to be there.
DEFAULTS: Final = {"local_processes": 2, "concurrency": 16, "decoders": 2, "lease_s": 30}
UPSTREAM: Final = {
    "upstream_url": "http://127.0.0.1:9/v1",
    "upstream_key": "secret-key",
    "upstream_price_usd": 0.05,
    "second_look": 0,
}
NOTES: Final = """\
Seconds from the start of the process until its first line on standard output, which is printed \
when API, worker, callbacks and, where it runs, the local endpoint are ready; medians of the \
rounds with the least and the most. Without the detectors an upstream is configured and nobody \
looks a second time; with them the local endpoint loads its models. The first start runs initdb \
and all migrations; files that were read before are in the kernel's cache."""


@dataclass(slots=True)
class Kind:
    """One way to start, with the seconds of each round; ``bound_s`` is the bar."""

    name: str
    settings: dict[str, object]
    bound_s: float
    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rounds: int, *, as_json: bool) -> None:
    """
    Measure how long `moderation up` takes to be ready, with and without the local detectors.

    \b
    Examples:
      python -m tests.benchmarks.cold_start
      python -m tests.benchmarks.cold_start --rounds 1
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    kinds = [
        Kind("without detectors", {**DEFAULTS, **UPSTREAM}, 5),
        Kind("with the local detectors", dict(DEFAULTS), 10),
    ]
    with click.progressbar(range(rounds), label="rounds", file=sys.stderr) as bar:
        for _ in bar:
            for kind in kinds:
                _start(kind)
    starts: list[tuple[Kind, str, list[float]]] = []
    for kind in kinds:
        starts += [(kind, "first", kind.first), (kind, "second", kind.second)]
    report = Report(
        "# Start of `moderation up`",
        {**load.facts("aiohttp", "asyncpg"), "rounds": rounds},
        [[_row(*one) for one in starts]],
        [
            Bar(
                f"{kind.name}, {which} start, s",
                statistics.median(took),
                kind.bound_s,
                at_most=True,
            )
            for kind, which, took in starts
        ],
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


def _start(kind: Kind) -> None:
    """Start twice in one new folder."""
    with ground.folder() as folder:
        kind.first.append(_ready_s(folder, kind))
        kind.second.append(_ready_s(folder, kind))


def _ready_s(folder: Path, kind: Kind) -> float:
    began = time.monotonic()
    # What is installed was compiled once.
    environment = driving.environment(**kind.settings) | {"PYTHONDONTWRITEBYTECODE": ""}
    up = Up.begin(folder / "data", env=environment)
    try:
        driving.until(_says(up), f"address; it said {up.err}", LONGEST_S, POLL_S)
        return time.monotonic() - began
    finally:
        up.end(signal.SIGTERM)


def _says(up: Up) -> Callable[[], bool]:
    def told() -> bool:
        assert up.process.poll() is None, f"it ended: {up.err}"
        return SAYS in up.out

    return told


def _row(kind: Kind, which: str, took: list[float]) -> dict[str, object]:
    return {
        "what": kind.name,
        "start": which,
        "seconds": statistics.median(took),
        "least": min(took),
        "most": max(took),
    }


if __name__ == "__main__":
    main()
