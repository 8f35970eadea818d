"""Commands for whoever runs the service: is the database whole, and is everything in order."""

import asyncio
import dataclasses
import importlib.resources
import json
import sys
from pathlib import Path

import click

from service import checking, diagnosing
from service.checking import BYTES, NAMES, RULES, Checked
from service.commands import DATA_DIR, connected, print_table
from service.doctoring import examining
from service.doctoring.examining import Line
from service.errors import WorkFailed
from service.store.invariants import Violation

_STEPS = 100
_FILES = {"dashboard": "dashboard.json", "alerts": "alerts.yaml"}
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("fsck")
@click.option("--bytes", "with_bytes", is_flag=True, help="Digest every image's bytes too; slow.")
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(NAMES),
    metavar="NAME",
    help="Only this check; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--list", "listed", is_flag=True, help="Print the checks and what each says.")
@DATA_DIR
def fsck(
    names: tuple[str, ...],
    data_dir: Path | None,
    *,
    with_bytes: bool,
    as_json: bool,
    listed: bool,
) -> None:
    """
    Check every invariant of a live database.

    It reads one snapshot and lists what breaks one.  Uploads may flow meanwhile.  Exits with 1 if
    anything is violated; warnings are of what stands still or lies about.

    \b
    Examples:
      moderation fsck
      moderation fsck --bytes
      moderation fsck --only spending --only told_once --json
    """
    if listed:
        print_table(("check", "invariant", "says"), RULES)
        return
    wanted = names or tuple(name for name in NAMES if with_bytes or name != BYTES)
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        length=len(wanted) * _STEPS, label="checks", file=sys.stderr, hidden=hidden
    ) as bar:
        position = 0.0

        def stepped(_: str, part: float) -> None:
            nonlocal position
            position += part * _STEPS
            bar.update(round(position) - bar.pos)

        done = connected(data_dir, lambda conn: checking.check(conn, wanted, stepped))
    _show(done, as_json=as_json)
    if done.violations:
        raise WorkFailed(f"{len(done.violations)} violations in {done.checks} checks")


def _show(done: Checked, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done), indent=2, ensure_ascii=False))
        return
    for title, found in (("violated", done.violations), ("warning", done.warnings)):
        if found:
            print_table((title, "rule", "subject", "what"), [_row(one) for one in found])
    if not done.violations:
        click.echo(f"0 violations in {done.checks} checks, {len(done.warnings)} warnings")


def _row(one: Violation) -> tuple[str, ...]:
    return one.invariant, one.rule, one.subject, one.detail


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def doctor(data_dir: Path | None, *, as_json: bool) -> None:
    """
    Look for what is wrong, and say what to do about it.

    At database, schema, settings, upstreams, disk and clocks.

    Nothing is changed and nothing is paid for.  Exits with 1 if a line says fail.

    \b
    Examples:
      moderation doctor
      moderation doctor --json
    """
    lines = asyncio.run(diagnosing.diagnose(data_dir))
    if as_json:
        found = {"status": examining.worst(lines), "lines": [dataclasses.asdict(x) for x in lines]}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        width = max(len(one.check) for one in lines)
        for one in lines:
            _tell(one, width)
    if fails := sum(one.status == "fail" for one in lines):
        raise WorkFailed(f"{fails} of {len(lines)} lines say fail")


def _tell(one: Line, width: int) -> None:
    mark = click.style(f"{one.status:4}", fg=_COLOURS[one.status], bold=True)
    click.echo(f"{mark}  {one.check:{width}}  {one.found}")
    if one.todo:
        click.echo(f"{'':{width + 8}}-> {one.todo}")


@click.command("monitoring")
@click.argument("what", type=click.Choice(tuple(_FILES)))
def monitoring(what: str) -> None:
    """
    Print the dashboard for Grafana or alerts for Prometheus.

    \b
    Examples:
      moderation monitoring dashboard > moderation.json
      moderation monitoring alerts > /etc/prometheus/moderation.yaml
    """
    folder = importlib.resources.files("service.monitoring")
    click.echo((folder / _FILES[what]).read_text("utf-8"), nl=False)
