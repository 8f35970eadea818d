"""The command that works on uploads."""

import asyncio

import click

from service import app
from service.commands import AFTER, pass_gate
from service.roles import working


@click.command()
@AFTER
def work(gate: int | None) -> None:
    """
    Work on uploads; as many processes and hosts as wanted.

    \b
    Example:
      MODERATION_DATABASE_URL=... MODERATION_UPSTREAM_KEY=... moderation work
    """
    configured = app.load()
    pass_gate(gate)
    asyncio.run(working.work(configured))
