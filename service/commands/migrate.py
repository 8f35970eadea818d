"""The command that brings a database up to date."""

import asyncio

import click

from service import app, preparing


@click.command()
def migrate() -> None:
    """
    Apply migrations and publish the shipped rulesets.

    Names what was new.  Rulesets whose names are known already stay as they are.

    \b
    Example:
      MODERATION_DATABASE_URL=postgresql://... moderation migrate
    """
    where = app.database_of(app.load())
    for name in asyncio.run(preparing.prepare(where)) or ["nothing to do"]:
        click.echo(name)
