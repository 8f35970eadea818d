"""Checking and importing rulesets from a shell, against what the configured upstreams take."""

import asyncio
import json
from pathlib import Path

import pytest

from service import resources
from service.store import Pool
from service.store.database import Database
from tests.policy.documents import long_source
from tests.rulesets import source
from tests.up import driving

SHOP = source()
CHANGED = SHOP.replace("severity: medium", "severity: high")
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
    ("text", "config", "said"),
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
    tmp_path: Path, text: str, config: str | None, said: str | None
) -> None:
    """Without a database or a key: the reason, or how many tokens the prompt has."""
    path = tmp_path / "long.yaml"
    path.write_text(text)
    options = tmp_path / "moderation.toml"
    options.write_text(config or "")
    ended = driving.run("rulesets", "check", path, cwd=tmp_path, config=options)
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


async def told(where: Database, *arguments: object, code: int = 0) -> driving.Ended:
    """Run a command about rulesets that must end like this."""
    ended = await asyncio.to_thread(
        driving.run, "rulesets", *arguments, database_url=where.dsn, cwd=Path("/")
    )
    assert ended.code == code, ended
    return ended


@pytest.fixture
async def folder(where: Database, tmp_path: Path) -> Path:
    """A folder with a ruleset that is live, and that its file changes."""
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    await told(where, "import", tmp_path)
    path.write_text(CHANGED)
    return tmp_path


async def test_a_version_from_file_to_live_and_back(where: Database, folder: Path) -> None:
    """Draft, look, compare, publish, roll back: each command says what it did."""
    draft = ("import", folder, "--draft")
    assert (await told(where, *draft)).out == "shop/2 is a new draft\n"
    assert (await told(where, *draft)).out == "shop/2 is a version already\n"
    assert (await told(where, "list")).out.splitlines()[-1] == "shop/1  Shop  (1 drafts)"
    assert (await told(where, "show", "shop@2")).out == CHANGED
    assert (await told(where, "show", "shop")).out == SHOP
    assert "high" in (await told(where, "diff", "shop")).out
    assert (await told(where, "publish", "shop")).out == "shop/2 is live\n"
    assert (await told(where, "publish", "shop@2")).out == "shop/2 is live already\n"
    assert (await told(where, "rollback", "shop")).out == "shop/1 is live\n"
    ended = await told(where, "rollback", "shop", code=1)
    assert "no version of shop was live before" in ended.complaints[0]


async def test_the_prompt_is_printed_byte_for_byte(where: Database, pool: Pool) -> None:
    """Standard output is exactly what is sent; what it takes and costs goes to stderr."""
    row = await pool.fetchrow(
        "SELECT prompt, schema FROM ruleset_versions WHERE ruleset = 'privacy'"
    )
    assert row is not None
    ended = await told(where, "prompt", "privacy")
    assert ended.out == row["prompt"]
    assert "$58 for 1,000 images; $580 for 10,000 images; $2,900 for 50,000 images" in ended.err
    assert "% of its context" in ended.err
    assert json.loads((await told(where, "schema", "privacy@1")).out) == row["schema"]


async def test_the_schema_of_files_needs_no_database(tmp_path: Path) -> None:
    """It is the one that comes with the rulesets."""
    ended = await asyncio.to_thread(driving.run, "rulesets", "schema", cwd=tmp_path)
    assert ended.out == (resources.folder("rulesets") / "ruleset.schema.json").read_text("utf-8")


async def test_each_answer_is_one_document(where: Database, folder: Path) -> None:
    """With --json standard output is one JSON document, with what the API has."""
    answers = [
        json.loads((await told(where, *arguments, "--json")).out)
        for arguments in (
            ("check", folder),
            ("import", folder, "--draft"),
            ("list",),
            ("show", "shop@2"),
            ("prompt", "shop@2"),
            ("diff", "shop"),
            ("publish", "shop", "--reason", "stricter"),
            ("rollback", "shop"),
        )
    ]
    check, made, listed, shown, prompt, diff, published, back = answers
    assert check["items"][0]["name"] == "shop"
    assert made == {"items": [{"name": "shop", "version": 2, "new": True}]}
    assert [one["name"] for one in listed["items"]][-1] == "shop"
    assert (shown["state"], shown["author"]) == ("draft", "command line")
    assert prompt["sha256"] == shown["prompt_sha256"]
    assert diff
    assert published["release"]["reason"] == "stricter"
    assert (back["live_version"], back["release"]["kind"]) == (1, "rollback")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "unknown"), 1, "there is no ruleset 'unknown'"),
        (("show", "privacy@2"), 1, "ruleset 'privacy' has no version 2"),
        (("show", "privacy@x"), 2, "neither NAME nor NAME@VERSION"),
        (("publish", "privacy", "--override"), 2, "override needs a reason"),
        (("rollback", "privacy", "--to", "3"), 1, "has no version 3"),
        (("diff", "privacy", "--from", "2"), 1, "has no version 2"),
    ],
)
async def test_what_cannot_be_done_is_told(
    where: Database, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Exit code 1 where things stand otherwise, 2 where the command was wrong."""
    ended = await told(where, *arguments, code=code)
    assert said in ended.err
    assert not ended.out


async def test_who_imports_is_the_author(where: Database, pool: Pool, tmp_path: Path) -> None:
    """Where a second person must publish, import leaves all as it was, and drafts can be made."""
    (tmp_path / "a.yaml").write_text(source(name="shop"))
    (tmp_path / "b.yaml").write_text(source(name="two", more="review: {second_person: true}\n"))
    ended = await told(where, "import", tmp_path, code=1)
    assert "wants another person to publish it" in ended.complaints[0]
    assert not await pool.fetchval("SELECT count(*) FROM rulesets WHERE name IN ('shop', 'two')")
    await told(where, "import", tmp_path, "--draft")
    assert await pool.fetchval("SELECT count(*) FROM ruleset_versions WHERE author LIKE 'comm%'")


async def test_import_tells_what_does_not_follow(where: Database, tmp_path: Path) -> None:
    """A rule id that comes back is refused with its file, line and column."""
    path = tmp_path / "shop.yaml"
    for rules in (("faces", "plates"), ("faces",)):
        path.write_text(source(*rules))
        await told(where, "import", tmp_path)
    path.write_text(source("faces", "plates", title="Back"))
    ended = await told(where, "import", tmp_path, code=1)
    line = path.read_text().splitlines().index("  - id: plates") + 1
    assert f"{path}:{line}:9: rules[1].id" in ended.err
    assert "'plates'" in ended.err
