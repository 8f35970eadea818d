"""Bugs planted into a copy of the code: what does not notice them would notice no other."""

import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from tests.faults.load import PAUSE_S

_COPIED: Final = ("migrations", "rulesets", "service")


class Patch(BaseModel):
    """A text that stands in a file exactly once, and what comes in its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    old: str
    new: str


class Bug(BaseModel):
    """One bug; what its fields mean stands at the head of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shows: str
    patch: tuple[Patch, ...]
    fault: str | None = None
    drops: tuple[str, ...] = ()
    takes_s: float = 0.15
    pause_s: float = PAUSE_S


def _read() -> dict[str, Bug]:
    table = tomllib.loads(Path(__file__).with_name("bugs.toml").read_text("utf-8"))
    return {bug.name: bug for bug in map(Bug.model_validate, table["bug"])}


BUGS: Final = _read()


def patched(bugs: Iterable[Bug], origin: Path) -> dict[str, str]:
    """
    Plant bugs in texts of the code in a folder; give them by their paths.

    Raises:
        ValueError: A text that is to be patched does not stand there exactly once.
    """
    texts: dict[str, str] = {}
    for patch in (patch for bug in bugs for patch in bug.patch):
        text = texts.get(patch.path) or (origin / patch.path).read_text("utf-8")
        # TOML cuts off the first newline of a text, which keeps the lines in line there.
        old, new = f"\n{patch.old}", f"\n{patch.new}"
        if text.count(old) != 1:
            raise ValueError(f"{patch.path} has this {text.count(old)} times, not once: {old}")
        texts[patch.path] = text.replace(old, new)
    return texts


def plant(bugs: Iterable[Bug], origin: Path, folder: Path) -> Path:
    """Copy the code into a new folder and plant bugs in it; raises as ``patched``."""
    for name in _COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(origin / name, folder / name, ignore=ignored)
    shutil.copy(origin / "pyproject.toml", folder)
    for path, text in patched(bugs, origin).items():
        (folder / path).write_text(text, "utf-8")
    return folder
