"""What the commands share; each of them reads the settings and calls one function."""

from pathlib import Path

import click

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the embedded database and the tokens.  [MODERATION_DATA_DIR]",
)
