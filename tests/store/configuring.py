"""Settings of tests: files, the upstreams that follow, and how they are refused."""

from pathlib import Path

import pytest

from service import settings
from service.edits import Upstream
from service.errors import StartRefused
from service.upstreams import upstream_of

SECRET = "sk-live-0123"
# The beginning of a table that has all that it needs.
HEAD = '[[upstream]]\nname = "fast"\nurl = "https://example.org/v1"\n'
VARIABLES = {"SOME_KEY": "secret"}


def written(tmp_path: Path, text: str) -> dict[str, str]:
    """Write a TOML file and give the environment that names it."""
    path = tmp_path / "moderation.toml"
    path.write_text(text, "utf-8")
    return {"MODERATION_CONFIG": str(path)}


def refusal(environ: dict[str, str], **overrides: object) -> str:
    """Give the message by which these settings are refused."""
    with pytest.raises(StartRefused) as refused:
        settings.read(overrides, environ)
    return str(refused.value)


def read(environ: dict[str, str]) -> list[Upstream]:
    """Read settings and build their upstreams."""
    return [upstream_of(table, VARIABLES) for table in settings.read({}, environ).upstream]
