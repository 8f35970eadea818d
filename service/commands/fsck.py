"""The command that checks whether the database is whole."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from service import checking
from service.checking import BYTES, NAMES, RULES, Checked
from service.commands import DATA_DIR, connected, print_table
from service.errors import WorkFailed
from service.store.invariants import Violation

_STEPS = 100


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
