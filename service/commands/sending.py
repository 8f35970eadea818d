"""The command that sends pictures through a running service."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import click

from service import reporting, submitting
from service.commands import DATA_DIR, reaching
from service.errors import WorkFailed

Sent: TypeAlias = tuple[list[dict[str, Any]], Path | None]
Send: TypeAlias = Callable[[Callable[[dict[str, Any]], None]], Coroutine[Any, Any, Sent]]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--ruleset", help="Ruleset to judge them by; the service's own if not named.")
@click.option("--wait", is_flag=True, help="Wait until every picture has been judged.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, file_okay=False),
    help="Save before, after and description of each there; waits.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--url", help="Address of the service.  [MODERATION_PUBLIC_URL]")
@DATA_DIR
def submit(
    paths: tuple[Path, ...],
    ruleset: str | None,
    save: Path | None,
    url: str | None,
    data_dir: Path | None,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """
    Send pictures through a running service.

    Files are sent as they are; of a folder, all the pictures in it and in its folders.

    The token is MODERATION_TOKEN, or the one that `up` keeps in its data folder.  Exit code 1 if
    a file was refused or an upload failed.

    \b
    Examples:
      moderation submit photo.jpg --wait
      moderation submit ~/Pictures --save looked-at
      moderation submit incoming/ --ruleset marketplace --wait --json > verdicts.json
    """
    address, token = reaching.reached("platform", url, data_dir)
    jobs = submitting.find(paths, ruleset)
    send = partial(reporting.submit, address, token, jobs, save, wait=wait or save is not None)
    items, page = _watched(send, len(jobs), as_json=as_json)
    _print(items, as_json=as_json)
    if page is not None:
        click.echo(f"before and after: {page}", err=as_json)
    if any("problem" in item or item["state"] == "failed" for item in items):
        raise WorkFailed("not every file was judged; see above")


def _watched(send: Send, length: int, *, as_json: bool) -> Sent:
    """Send behind a progress bar; what came back is shown also where it does not end well."""
    ended: list[dict[str, Any]] = []
    try:
        with click.progressbar(length=length, label="pictures", file=sys.stderr) as bar:

            def finished(item: dict[str, Any]) -> None:
                ended.append(item)
                bar.update(1)

            return asyncio.run(send(finished))
    except KeyboardInterrupt:
        # What was sent goes on without us.
        _print(ended, as_json=as_json)
        raise WorkFailed(f"stopped after {_files(ended)}; what was sent goes on") from None
    except WorkFailed:
        if ended or as_json:
            _print(ended, as_json=as_json)
        raise


def _print(items: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"items": items}, indent=2, ensure_ascii=False))
    else:
        click.echo(reporting.table(items))


def _files(items: list[dict[str, Any]]) -> str:
    return "1 file" if len(items) == 1 else f"{len(items)} files"
