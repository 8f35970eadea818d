"""The command that answers HTTP."""

import asyncio
import socket

import click

from service import app
from service.commands import AFTER, pass_gate
from service.roles import serving


@click.command()
@AFTER
@click.option("--fd", type=int, hidden=True, help="A listening socket handed over by `up`.")
def serve(gate: int | None, fd: int | None) -> None:
    """
    Answer HTTP; as many processes as wanted.

    \b
    Example:
      MODERATION_DATABASE_URL=postgresql://... moderation serve
    """
    listener = None if fd is None else socket.socket(fileno=fd)
    configured = app.load()
    pass_gate(gate)
    asyncio.run(serving.serve(configured, listener))
