"""README says what the code says."""

import re
from pathlib import Path

from service import settings
from service.upstreams import upstream_of
from tests import readme_tables

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_settings_table_is_the_code() -> None:
    """README's table of settings has every setting with its default, and nothing else."""
    assert f"<!-- settings -->\n{readme_tables.settings()}\n" in README


def test_upstreams_table_is_the_code() -> None:
    """README's table of what an upstream can be configured with has every option."""
    assert f"<!-- upstreams -->\n{readme_tables.upstreams()}\n" in README


def test_example_of_several_upstreams_works(tmp_path: Path) -> None:
    """The tables that README shows are read as it says: shares of 90 and 10, one stands in."""
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "moderation.toml"
    path.write_text(example, "utf-8")
    tables = settings.read({}, {"MODERATION_CONFIG": str(path)}).upstream
    keys = {table.key_env: "key" for table in tables if table.key_env}
    found = [upstream_of(table, keys) for table in tables]
    assert [one.weight for one in found] == [90, 10, 0]
    assert [one.describer is not None for one in found] == [False, False, True]


def test_attempts_table_is_the_code() -> None:
    """README's table of how attempts end is the one that the worker goes by."""
    assert f"<!-- attempts -->\n{readme_tables.attempts()}\n" in README
