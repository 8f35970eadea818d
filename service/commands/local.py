"""The command that runs the local edits endpoint alone."""

import asyncio
import socket

import click

from service import app
from service.local import server


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

    asyncio.run(
        server.serve(
            host=configured.host,
            port=port,
            processes=configured.local_processes,
            sock=listener,
            ready=ready,
            redact=not no_redaction,
        )
    )
