"""
What grows, leaks or is lost while parts are killed: ``python -m tests.benchmarks.soak``.

`moderation up` with two workers takes pictures of mixed sizes over HTTP and calls back, while every
few seconds a worker, the process that delivers, or a decoder is killed.  One worker and the API are
never killed, so that theirs is a whole life to look at.
"""

import asyncio
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from tests.benchmarks import arrivals, machine, sampling, soaking
from tests.benchmarks.bars import Bar, Report
from tests.benchmarks.sampling import Table
from tests.benchmarks.soaking import Soak

# Kept flat: descriptors may differ by what is under way when somebody looks.
DESCRIPTORS: Final = 10
NOTES: Final = """\
Memory is the resident size of the process of each role that lived longest, in MB; growth is that \
of a line through it after the first quarter of its life, over the whole run. A third is one of \
the run. Waits are seconds from the upload to its end, those of uploads whose worker was killed \
among them, which wait for the lease of 10 s to run out. Answers take 0.5 to 1.5 s."""


@click.command()
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.5))
@click.option("--rate", default=2.0, show_default=True, help="Uploads a second.")
@click.option("--kill-every", "every_s", default=10.0, show_default=True, help="Seconds.")
@click.option("--seed", default=1, show_default=True, help="Of who is killed and what comes.")
@click.option(
    "--samples",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write all that was seen here, as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(
    minutes: float, rate: float, every_s: float, seed: int, samples: Path | None, *, as_json: bool
) -> None:
    """
    Run everything under load for a while, kill parts of it, and see what grows and what is lost.

    \b
    Examples:
      python -m tests.benchmarks.soak
      python -m tests.benchmarks.soak --minutes 60 --samples soak.json
      python -m tests.benchmarks.soak --minutes 1 --rate 1 --kill-every 5
    """  # noqa: D301  # click reads \b as "keep these lines"
    load = machine.Load.now()
    soak = asyncio.run(soaking.soaked(minutes * 60, rate, every_s, random.Random(seed)))
    if samples is not None:
        samples.write_text(json.dumps(asdict(soak)), "utf-8")
    facts = {
        **load.facts("aiohttp", "asyncpg"),
        "uploads": soak.statuses,
        "ended as": soak.states,
        "called back": soak.calls_back,
        "killed": soak.kills,
        "checks of fsck": soak.fsck["checks"],
    }
    report = Report(
        f"# Soak of {minutes:g} minutes",
        facts,
        [_process_rows(soak), _table_rows(soak), _wait_rows(soak)],
        _bars(soak),
        NOTES,
    )
    click.echo(report.json() if as_json else report.markdown())


def _process_rows(soak: Soak) -> list[dict[str, object]]:
    span_s = soak.ended - soak.began
    rows: list[dict[str, object]] = []
    for role in ("up", *sampling.ROLES):
        life = sampling.longest_lived(soak.processes, role)
        memory = [one.resident_mb for one in life]
        opened = [one.descriptors for one in life]
        rows.append(
            {
                "role": role,
                "looked at": len(life),
                "lives": len({one.pid for one in soak.processes if one.role == role}),
                "MB first": memory[0],
                "MB last": memory[-1],
                "MB most": max(memory),
                "MB growth": sampling.growth(life, lambda one: one.resident_mb, span_s),
                "descriptors first": opened[0],
                "descriptors last": opened[-1],
                "descriptors growth": sampling.growth(life, lambda one: one.descriptors, span_s),
            }
        )
    return rows


def _table_rows(soak: Soak) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name in sampling.TABLES:
        looks = _looks(soak, name)
        last = looks[-1]
        rows.append(
            {
                "table": name,
                "live at the end": last.live,
                "dead at the end": last.dead,
                "dead at most": max(one.dead for one in looks),
                "vacuums": last.vacuums,
                "kB after a third": looks[len(looks) // 3].bytes / 1000,
                "kB at the end": last.bytes / 1000,
            }
        )
    return rows


def _wait_rows(soak: Soak) -> list[dict[str, object]]:
    return [
        {
            "third": number,
            "uploads": len(waits),
            "p50, s": arrivals.percentile(waits, 0.5),
            "p99, s": arrivals.percentile(waits, 0.99),
            "longest, s": waits[-1],
        }
        for number, waits in enumerate(sampling.in_thirds(soak.began, soak.ended, soak.waits), 1)
    ]


def _bars(soak: Soak) -> list[Bar]:
    bars = [
        Bar(f"{row['role']}: {figure} over the run", float(str(row[figure])), bound, at_most=True)
        for row in _process_rows(soak)
        for figure, bound in (("MB growth", 10), ("descriptors growth", DESCRIPTORS))
    ]
    bars += [
        Bar(f"{name}: bytes a row, of after a third", _swelling(soak, name), 1.5, at_most=True)
        for name in ("uploads", "deliveries")
    ]
    first, _, last = (
        arrivals.percentile(waits, 0.99)
        for waits in sampling.in_thirds(soak.began, soak.ended, soak.waits)
    )
    bars.append(Bar("p99 wait of the last third, of the first", last / first, 2, at_most=True))
    bars.append(Bar("violations that fsck found", len(soak.fsck["violations"]), 0, at_most=True))
    return bars


def _swelling(soak: Soak, name: str) -> float:
    looks = _looks(soak, name)
    early, late = looks[len(looks) // 3], looks[-1]
    return (late.bytes / max(1, late.live)) / (early.bytes / max(1, early.live))


def _looks(soak: Soak, name: str) -> list[Table]:
    return [one for one in soak.tables if one.name == name]


if __name__ == "__main__":
    main()
