"""The command that looks for what is wrong around the service."""

import asyncio
import dataclasses
import json
from pathlib import Path

import click

from service import diagnosing
from service.commands import DATA_DIR
from service.doctoring import examining
from service.doctoring.examining import Line
from service.errors import WorkFailed

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


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
