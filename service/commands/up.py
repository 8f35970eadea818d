"""The command that runs everything on this machine."""

import asyncio
import shlex
from pathlib import Path
from urllib.parse import urlencode

import click

from service import app, demo
from service.commands import DATA_DIR
from service.errors import WorkFailed
from service.roles import everything
from service.up import Running


@click.command()
@DATA_DIR
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API; 0 takes any.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--demo", "with_demo", is_flag=True, help="Send a few pictures through and show what came back."
)
@click.option("--once", is_flag=True, help="With --demo: stop afterwards; exit 1 on a surprise.")
def up(
    data_dir: Path | None, port: int | None, workers: int | None, *, with_demo: bool, once: bool
) -> None:
    """
    Run everything on this machine.

    An embedded Postgres unless MODERATION_DATABASE_URL is set, the local edits endpoint unless an
    upstream is configured, the API, the workers, and what delivers callbacks.

    \b
    Examples:
      moderation up --demo
      moderation up --demo --once
      MODERATION_UPSTREAM_KEY=... moderation up --port 9000 --workers 2
    """
    if once and not with_demo:
        raise click.UsageError("--once needs --demo: it stops after the demonstration")
    configured = app.load(data_dir=data_dir, port=port, workers=workers)
    folder = configured.data_dir.resolve() / "demo"

    async def demonstrate(what: Running) -> bool:
        return await demo.run(what, folder, click.echo)

    meanwhile = demonstrate if with_demo else None
    if not asyncio.run(everything.up(configured, _show, meanwhile, once=once)):
        raise WorkFailed("the demonstration did not come out as expected")


def _show(what: Running) -> None:
    # The other shell may stand elsewhere, so the folder is always named.
    submit = f"moderation submit FOLDER --data-dir {shlex.quote(str(what.tokens_path.parent))}"
    click.echo(f"moderation is up at {what.url}; Ctrl-C stops it")
    click.echo(f"  console          {_sign_in_link(what)}")
    click.echo(f"  API description  {what.url}/openapi.json")
    click.echo(f"  tokens           {what.tokens_path}")
    if what.superuser_dsn is not None:
        click.echo(f"  database         psql '{what.superuser_dsn}'")
    click.echo(f"  your pictures    {submit} --save looked-at")


def _sign_in_link(what: Running) -> str:
    """Spell the console's address with the tokens behind the '#', which no browser ever sends."""
    staff = {role: token for role, token in what.tokens.items() if role != "platform"}
    return f"{what.url}/console/#{urlencode(staff)}"
