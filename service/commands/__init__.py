"""What the commands share; each of them reads the settings and calls one function."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from service import app

Result = TypeVar("Result")

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the embedded database and the tokens.  [MODERATION_DATA_DIR]",
)


def connected(data_dir: Path | None, work: Callable[..., Coroutine[Any, Any, Result]]) -> Result:
    """Do work on a connection to the configured database, else to that of a running `up`."""
    configured = app.load(data_dir=data_dir)

    async def run() -> Result:
        async with app.connected(configured) as conn:
            return await work(conn)

    return asyncio.run(run())
