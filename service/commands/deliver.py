"""The command that delivers callbacks."""

import asyncio

import click

from service import app
from service.commands import AFTER, pass_gate
from service.roles import delivering


@click.command()
@AFTER
def deliver(gate: int | None) -> None:
    """
    Deliver callbacks; as many processes and hosts as wanted.

    \b
    Example:
      MODERATION_DATABASE_URL=postgresql://... moderation deliver
    """
    configured = app.load()
    pass_gate(gate)
    asyncio.run(delivering.deliver(configured))
