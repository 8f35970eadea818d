"""Commands that make a version live, or an earlier one again."""

from pathlib import Path

import click

from service import releasing
from service.administering import ACTOR
from service.commands import DATA_DIR, connected
from service.commands.versions import AS_JSON, VERSION, Reference, newest, windows
from service.releasing import Order, Released
from service.store import Conn

REASON = click.option("--reason", help="Why; kept with the release and in the audit trail.")


@click.command("publish")
@VERSION
@click.option("--override", is_flag=True, help="Although golden examples failed; needs --reason.")
@REASON
@AS_JSON
@DATA_DIR
def rulesets_publish(
    version: Reference, reason: str | None, data_dir: Path | None, *, override: bool, as_json: bool
) -> None:
    """
    Make a version live.

    Of a NAME alone the newest.  Refused where somebody else released one meanwhile, where its
    golden examples failed, and where it must be published by another than its author.

    \b
    Examples:
      moderation rulesets publish privacy
      moderation rulesets publish privacy@4 --override --reason 'the example is out of date'
    """
    order = Order(ACTOR, reason, override)

    async def run(conn: Conn) -> Released:
        return await releasing.publish(
            conn, version.name, await newest(conn, version), order, windows
        )

    _tell(connected(data_dir, run), as_json=as_json)


@click.command("rollback")
@click.argument("name")
@click.option(
    "--to", "version", type=click.IntRange(1, 999_999_999), help="Version; else the one before."
)
@REASON
@AS_JSON
@DATA_DIR
def rulesets_rollback(
    name: str, version: int | None, reason: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """
    Make a version live that was live before.

    Without --to, the one that the live version replaced; once more goes further back.

    \b
    Examples:
      moderation rulesets rollback privacy --reason 'holds too much'
      moderation rulesets rollback privacy --to 2
    """

    async def run(conn: Conn) -> Released:
        return await releasing.rollback(conn, name, version, Order(ACTOR, reason), windows)

    _tell(connected(data_dir, run), as_json=as_json)


def _tell(done: Released, *, as_json: bool) -> None:
    if as_json:
        click.echo(done.model_dump_json(indent=2))
        return
    untried = "; its golden examples were not run" if done.examples == "not_run" else ""
    click.echo(
        f"{done.name}/{done.live_version} is live{'' if done.release else ' already'}{untried}"
    )
