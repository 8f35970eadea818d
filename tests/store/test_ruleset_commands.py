"""Checking and importing rulesets from a shell, against what the configured upstreams take."""

import asyncio
from pathlib import Path

import pytest

from service.store import Pool
from service.store.database import Database
from tests.policy.documents import long_source
from tests.up import driving

TWO = """\
[[upstream]]
name = "main"
url = "https://main.example.org/v1"
model = "gemini-3.1-flash-image"
key_env = "NOT_SET_WHERE_RULESETS_ARE_CHECKED"

[[upstream]]
name = "spare"
url = "https://spare.example.org/v1"
model = "gpt-image-1.5"
max_prompt_chars = 40_000
"""
LONG = "ruleset long is too long: upstream"


@pytest.mark.parametrize(
    ("source", "config", "said"),
    [
        (long_source(413_000), None, None),
        (long_source(500_000), None, f"{LONG} default (gemini-3.1-flash-image-preview)"),
        ("model: gpt-image-1\n" + long_source(50_000), None, f"{LONG} default (gpt-image-1)"),
        ("model: any\n" + long_source(500_000), None, None),
        (long_source(30_000), TWO, None),
        (long_source(50_000), TWO, f"{LONG} spare (gpt-image-1.5) takes a prompt of at most 40000"),
        ("model: gemini-3.1-flash-image\n" + long_source(50_000), TWO, None),
        ("model: any\n" + long_source(30_000), TWO, "model any only, which no upstream has"),
    ],
    ids=["default", "long", "own", "unknown", "both", "spare", "main", "nobody"],
)
def test_check_asks_what_the_upstreams_take(
    tmp_path: Path, source: str, config: str | None, said: str | None
) -> None:
    """Without a database or a key: the reason, or how many tokens the prompt has."""
    path = tmp_path / "long.yaml"
    path.write_text(source)
    told = tmp_path / "moderation.toml"
    told.write_text(config or "")
    ended = driving.run("rulesets", "check", path, cwd=tmp_path, config=told)
    if said is None:
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.endswith(" tokens\n")
    else:
        assert ended.code == 1
        assert not ended.out
        assert said in ended.complaints[0]


async def test_import_is_all_or_nothing(where: Database, pool: Pool, tmp_path: Path) -> None:
    """One ruleset that is too long keeps the others of its folder from going live."""
    (tmp_path / "a.yaml").write_text(long_source(30_000, name="short"))
    (tmp_path / "b.yaml").write_text(long_source(500_000))
    ended = await asyncio.to_thread(
        driving.run, "rulesets", "import", tmp_path, database_url=where.dsn
    )
    assert ended.code == 1
    assert not ended.out
    assert f"{LONG} default" in ended.complaints[0]
    assert not await pool.fetchval("SELECT count(*) FROM rulesets WHERE name IN ('short', 'long')")
    (tmp_path / "b.yaml").unlink()
    ended = await asyncio.to_thread(
        driving.run, "rulesets", "import", tmp_path, database_url=where.dsn
    )
    assert (ended.code, ended.out) == (0, "short/1 is new and live\n"), ended.err
