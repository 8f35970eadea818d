"""Publishing: content becomes a version once, numbers only grow, and faults are all told."""

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from service import publishing, resources
from service.errors import InputRefused, WorkFailed
from service.policy import prompt, rulesets, tokens
from service.policy.tokens import IMAGE_TOKENS, Window
from service.store import Pool
from service.store import rulesets as store
from tests.policy.documents import long_source
from tests.rulesets import source

SHIPPED = resources.folder("rulesets")
PRIVACY = (SHIPPED / "privacy.yaml").read_text("utf-8")


def changed(title: str) -> str:
    """The privacy ruleset with another title."""
    return PRIVACY.replace("title: Private details of people in pictures", f"title: {title}", 1)


async def publish(pool: Pool, text: str, *windows: Window) -> publishing.Imported:
    async with pool.acquire() as conn:
        ruleset = rulesets.parse(text)
        return await publishing.publish(conn, ruleset, text, "somebody", windows)


async def live(pool: Pool) -> int | None:
    async with pool.acquire() as conn:
        return await store.live(conn, "privacy")


async def test_same_content_twice_is_one_version(pool: Pool) -> None:
    """Also other comments and spaces make no new version."""
    first = await publish(pool, changed("A"))
    again = await publish(pool, "# A comment\n" + changed("  A  "))
    assert (first.version, first.new) == (2, True)
    assert (again.version, again.new) == (2, False)
    assert (
        await pool.fetchval("SELECT count(*) FROM ruleset_versions WHERE ruleset = 'privacy'") == 2
    )


async def test_changed_content_is_the_next_version_and_live(pool: Pool) -> None:
    """Numbers follow each other, the newest is live, and earlier ones stay as they were."""
    before = await pool.fetchrow("SELECT * FROM ruleset_versions WHERE ruleset = 'privacy'")
    assert await live(pool) == 1
    for number, title in enumerate("ABC", 2):
        assert (await publish(pool, changed(title))).version == number
        assert await live(pool) == number
    after = await pool.fetchrow(
        "SELECT * FROM ruleset_versions WHERE ruleset = 'privacy' AND version = 1"
    )
    assert after == before


async def test_earlier_content_goes_live_again_under_its_number(pool: Pool) -> None:
    """Publishing what was a version before is a roll-back, not a copy."""
    await publish(pool, changed("A"))
    assert (await publish(pool, PRIVACY)).version == 1
    assert await live(pool) == 1


async def test_version_is_kept_with_what_was_rendered(pool: Pool) -> None:
    """Source, content, prompt and schema belong together, and the digests are true."""
    await publish(pool, changed("A"))
    row = await pool.fetchrow("SELECT * FROM ruleset_versions WHERE version = 2")
    assert row is not None
    assert row["source"] == changed("A")
    assert row["sha256"].hex() == rulesets.digest(rulesets.parse(row["source"]))
    assert row["prompt_sha256"] == hashlib.sha256(row["prompt"].encode()).digest()
    inside = row["prompt"].split("<description-schema>")[1].split("</description-schema>")[0]
    assert json.loads(inside) == row["schema"]
    assert 'name="privacy" version="2"' in row["prompt"]
    assert row["content"]["title"] == "A"
    assert row["author"] == "somebody"


async def test_publishing_is_audited(pool: Pool) -> None:
    """Who made what live is entered in the same transaction."""
    await publish(pool, changed("A"))
    row = await pool.fetchrow("SELECT * FROM audit ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (row["actor"], row["action"], row["subject"]) == (
        "somebody",
        "ruleset.publish",
        "privacy/2",
    )


async def test_publishers_at_once_are_numbered_one_by_one(pool: Pool) -> None:
    """Different contents get different numbers without a gap; the same content gets one."""
    titles = [title for title in "ABCD" for _ in range(2)]
    imported = await asyncio.gather(*(publish(pool, changed(title)) for title in titles))
    by_title = {
        title: {one.version for one, of in zip(imported, titles, strict=True) if of == title}
        for title in "ABCD"
    }
    assert sorted(number for numbers in by_title.values() for number in numbers) == [2, 3, 4, 5]
    assert sum(one.new for one in imported) == 4


async def test_seeding_leaves_what_staff_published(pool: Pool) -> None:
    """A later start changes neither the live version nor adds the shipped one again."""
    await publish(pool, changed("Ours"))
    async with pool.acquire() as conn:
        assert await publishing.seed(conn, SHIPPED) == []
    assert await live(pool) == 2


async def test_seeding_adds_what_is_new(pool: Pool, tmp_path: Path) -> None:
    """A ruleset that a new release brings is published; the known ones are left alone."""
    (tmp_path / "privacy.yaml").write_text(source(name="privacy"))
    (tmp_path / "second.yaml").write_text(source(name="second"))
    async with pool.acquire() as conn:
        assert await publishing.seed(conn, tmp_path) == [publishing.Imported("second", 1, new=True)]
    assert await live(pool) == 1


GEMINI = Window("gemini", "gemini-3.1-flash-image")
OPENAI = Window("openai", "gpt-image-1.5")


async def test_a_ruleset_of_100_000_tokens_is_published_byte_for_byte(pool: Pool) -> None:
    """The default model takes its 400 kB, and what is stored is what was rendered."""
    text = long_source(415_000)
    done = await publish(pool, text, GEMINI)
    ruleset = rulesets.parse(text)
    rendered = prompt.render(rulesets.Version(ruleset, done.version, rulesets.digest(ruleset)))
    assert len(rendered) > 400_000
    stored = await pool.fetchval("SELECT prompt FROM ruleset_versions WHERE ruleset = 'long'")
    assert stored.encode() == rendered.encode()


@pytest.mark.parametrize(
    ("text", "windows", "code", "said"),
    [
        (
            long_source(500_000),
            (GEMINI,),
            "ruleset_too_long",
            "upstream gemini (gemini-3.1-flash-image) takes at most 131072 tokens",
        ),
        (
            long_source(50_000),
            (GEMINI, OPENAI),
            "ruleset_too_long",
            "upstream openai (gpt-image-1.5) takes a prompt of at most 32000 characters",
        ),
        (
            "model: gpt-image-1.5\n" + long_source(50_000),
            (GEMINI, OPENAI),
            "ruleset_too_long",
            "upstream openai",
        ),
        (
            "model: gpt-image-1\n" + long_source(50_000),
            (GEMINI, OPENAI),
            "model_unknown",
            "which no upstream has; allowed are gemini-3.1-flash-image, gpt-image-1.5",
        ),
    ],
    ids=["tokens", "one of two", "the model named", "a model of nobody"],
)
async def test_what_no_upstream_could_judge_is_refused(
    pool: Pool, text: str, windows: tuple[Window, ...], code: str, said: str
) -> None:
    """The refusal names upstream, size and limit, and the database is as it was."""
    tables = ("rulesets", "ruleset_versions", "audit")
    before = [await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
    with pytest.raises(InputRefused) as refused:
        await publish(pool, text, *windows)
    assert refused.value.code == code
    assert said in str(refused.value)
    assert [await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before


async def test_only_upstreams_with_the_model_named_must_take_it(pool: Pool) -> None:
    """What is never asked of the other upstream need not fit it."""
    text = f"model: {GEMINI.model}\n{long_source(50_000)}"
    assert (await publish(pool, text, GEMINI, OPENAI)).new


async def test_the_limit_is_exact(pool: Pool) -> None:
    """A prompt that just fits beside a picture is published; of one token less, it is refused."""
    text = changed("Exact")
    size = publishing.check(rulesets.parse(text), ())
    fits = size.tokens + IMAGE_TOKENS
    with pytest.raises(InputRefused, match=f"takes at most {fits - 1} tokens"):
        await publish(pool, text, Window("one", "any", context_tokens=fits - 1))
    with pytest.raises(InputRefused, match=f"takes a prompt of at most {size.chars - 1} char"):
        await publish(pool, text, Window("one", "any", max_prompt_chars=size.chars - 1))
    done = await publish(pool, text, Window("one", "any", size.chars, fits))
    assert done.new
    stored = await pool.fetchval("SELECT prompt FROM ruleset_versions WHERE version = 2")
    assert tokens.measure(stored) == size


async def test_what_has_become_too_long_does_not_go_live_again(pool: Pool) -> None:
    """Rolling back to a version that the upstreams of today do not take is refused as well."""
    await publish(pool, changed("A"))
    with pytest.raises(InputRefused, match="privacy is too long"):
        await publish(pool, PRIVACY, Window("small", "any", max_prompt_chars=1_000))
    assert await live(pool) == 2


def test_every_fault_of_every_file_is_told(tmp_path: Path) -> None:
    """One refusal lists all faults, each with its file, line and column; nothing was read on."""
    text = source("faces", "plates", "cards")
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        text.replace("severity: medium", "severity: awful").replace("edit: blur", "x: 1")
    )
    worse = tmp_path / "worse.yaml"
    worse.write_bytes(b"name: [\xff")
    good = tmp_path / "good.yaml"
    good.write_text(text)
    with pytest.raises(InputRefused) as refused:
        publishing.read([tmp_path])
    faults = refused.value.errors or []
    assert refused.value.code == "ruleset_invalid"
    assert {fault["file"] for fault in faults} == {str(bad), str(worse)}
    awful = [fault for fault in faults if "awful" in str(fault["message"])]
    assert len(awful) == text.count("severity: medium")
    assert all(isinstance(fault["line"], int) and fault["column"] for fault in faults)
    unknown = [fault for fault in faults if str(fault["path"]).endswith(".x")]
    assert len(unknown) == text.count("edit: blur")


def test_missing_files_are_told(tmp_path: Path) -> None:
    """A path that cannot be read and a folder without rulesets are named."""
    with pytest.raises(WorkFailed, match=r"none\.yaml: No such file"):
        publishing.read([tmp_path / "none.yaml"])
    with pytest.raises(WorkFailed, match="holds no"):
        publishing.read([tmp_path])
