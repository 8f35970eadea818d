"""README says what the code says."""

from pathlib import Path

from tests import readme_tables

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_settings_table_is_the_code() -> None:
    """README's table of settings has every setting with its default, and nothing else."""
    assert f"<!-- settings -->\n{readme_tables.settings()}\n" in README


def test_attempts_table_is_the_code() -> None:
    """README's table of how attempts end is the one that the worker goes by."""
    assert f"<!-- attempts -->\n{readme_tables.attempts()}\n" in README
