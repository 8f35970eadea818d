"""Commands about the audit trail."""

import json
from datetime import datetime
from pathlib import Path

import click

from service import auditing
from service.commands import DATA_DIR, connected
from service.errors import WorkFailed


@click.group("audit")
def audit_group() -> None:
    """
    Check the audit trail.

    \b
    Example:
      moderation audit verify
    """


@audit_group.command("verify")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only the entries of a day (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@DATA_DIR
def audit_verify(day: datetime | None, data_dir: Path | None, *, as_json: bool) -> None:
    """
    Recompute the trail's chain; name the first broken link.

    A chain made anew, whole, by somebody with every right still differs from a digest that was kept
    elsewhere: the last one is printed.

    \b
    Examples:
      moderation audit verify
      moderation audit verify --day 2026-11-22
    """
    done = connected(data_dir, lambda conn: auditing.verify(conn, day.date() if day else None))
    last = done.last.sha256.hex() if done.last else None
    if as_json:
        broken = {"id": done.broken.id, "what": done.broken.what} if done.broken else None
        click.echo(json.dumps({"checked": done.checked, "last_sha256": last, "broken": broken}))
    elif done.broken is None:
        click.echo(f"{done.checked} entries hold; the last digest is {last or '-'}")
    if done.broken is not None:
        raise WorkFailed(
            f"broken at entry {done.broken.id}: {done.broken.what}; {done.checked} before it hold"
        )
