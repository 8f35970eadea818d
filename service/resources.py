"""Where migrations and rulesets lie: the top-level folders of a checkout, or inside the wheel."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).parent


def folder(name: Literal["migrations", "rulesets"]) -> Path:
    """Find the folder that belongs to this code."""
    checkout = _PACKAGE.parent / name
    # An installed package lies among others, where a folder of that name would be a stranger's.
    in_checkout = (_PACKAGE.parent / "pyproject.toml").is_file() and checkout.is_dir()
    return checkout if in_checkout else _PACKAGE / "bundled" / name
