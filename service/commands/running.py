"""Commands that run the service: all of it, or one role."""

import asyncio
import shlex
import socket
from pathlib import Path
from urllib.parse import urlencode

import click

from service import app, demo, roles
from service.commands import DATA_DIR
from service.errors import WorkFailed
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
    if not asyncio.run(app.up(configured, _show, meanwhile, once=once)):
        raise WorkFailed("the demonstration did not come out as expected")


@click.command()
@click.option("--fd", type=int, hidden=True, help="A listening socket handed over by `up`.")
def serve(fd: int | None) -> None:
    """
    Answer HTTP; as many processes as wanted.

    \b
    Example:
      MODERATION_DATABASE_URL=postgresql://... moderation serve
    """
    listener = None if fd is None else socket.socket(fileno=fd)
    asyncio.run(roles.serve(app.load(), listener))


@click.command()
def work() -> None:
    """
    Work on uploads; as many processes and hosts as wanted.

    \b
    Example:
      MODERATION_DATABASE_URL=... MODERATION_UPSTREAM_KEY=... moderation work
    """
    asyncio.run(roles.work(app.load()))


@click.command()
def deliver() -> None:
    """
    Deliver callbacks; as many processes and hosts as wanted.

    \b
    Example:
      MODERATION_DATABASE_URL=postgresql://... moderation deliver
    """
    asyncio.run(roles.deliver(app.load()))


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
@click.option("--processes", type=click.IntRange(1, 64), help="Detector processes.")
@click.option("--fd", type=int, hidden=True, help="A listening socket handed over by `up`.")
@click.option(
    "--no-redaction",
    is_flag=True,
    hidden=True,
    help="For tests of what relies on it: tell edits as made, and make none.",
)
def local(port: int, processes: int | None, fd: int | None, *, no_redaction: bool) -> None:
    """
    Run only the local edits endpoint.

    It takes image edits of any OpenAI client and answers with what detectors on this machine see.

    \b
    Examples:
      moderation local --port 8090
      OPENAI_BASE_URL=http://127.0.0.1:8090/v1 OPENAI_API_KEY=none python your_script.py
    """
    configured = app.load(local_processes=processes)
    listener = None if fd is None else socket.socket(fileno=fd)

    def ready(address: str) -> None:
        # Under `up` nobody calls it by its address, and the log tells that it is ready.
        if listener is None:
            click.echo(f"the local edits endpoint answers at {address}/v1/images/edits", err=True)

    asyncio.run(roles.local(configured, port, listener, ready, redact=not no_redaction))


@click.command()
def migrate() -> None:
    """
    Apply migrations and publish the shipped rulesets.

    Names what was new.  Rulesets whose names are known already stay as they are.

    \b
    Example:
      MODERATION_DATABASE_URL=postgresql://... moderation migrate
    """
    for name in asyncio.run(app.migrate(app.load())) or ["nothing to do"]:
        click.echo(name)


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
