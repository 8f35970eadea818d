"""What the commands share; each of them reads the settings and calls one function."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from service import app
from service.prices import MICRO

Result = TypeVar("Result")

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the embedded database and the tokens.  [MODERATION_DATA_DIR]",
)

AFTER = click.option(
    "--after", "gate", type=int, hidden=True, help="A pipe that `up` closes once all may begin."
)


def pass_gate(gate: int | None) -> None:
    """Wait, where `up` has started us, until the database is ready."""
    if gate is not None:
        with os.fdopen(gate, "rb") as pipe:
            pipe.read()


def connected(data_dir: Path | None, work: Callable[..., Coroutine[Any, Any, Result]]) -> Result:
    """Do work on a connection to the configured database, else to that of a running `up`."""
    configured = app.load(data_dir=data_dir)

    async def run() -> Result:
        async with app.connected(configured) as conn:
            return await work(conn)

    return asyncio.run(run())


def in_dollars(microusd: int) -> str:
    """Show microdollars exactly: two decimals, and more only where they are not zero."""
    whole, part = divmod(microusd, MICRO)
    return f"${whole}.{f'{part:06}'.rstrip('0'):0<2}"


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns under a head."""
    cells = [[str(one) for one in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())
