"""The command that checks a live database: what it prints, and how it exits."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from service import checking
from service.checking import AUDIT, BYTES, NAMES
from service.cli import commands
from service.store import Pool
from service.store.database import Database
from tests.flows.driving import Owner


async def fsck(where: Database, folder: Path, *options: str) -> tuple[int, str, str]:
    """Run the command; give its exit code and what it wrote to stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "fsck", *options),
        env={
            "PATH": os.environ["PATH"],
            "MODERATION_DATABASE_URL": where.dsn,
            "MODERATION_DATA_DIR": str(folder),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.usefixtures("filled")
async def test_a_whole_database_has_zero_violations_and_a_damaged_one_a_list(
    owner: Owner, where: Database, superuser: Owner, tmp_path: Path
) -> None:
    """Exit 0 and nothing; after a book, an image and the trail were falsified, 1 and all three."""
    code, said, errors = await fsck(where, tmp_path, "--bytes", "--json")

    assert (code, errors) == (0, "")
    assert json.loads(said) == {"checks": len(NAMES), "violations": [], "warnings": []}

    await superuser.execute("UPDATE spending SET spent_microusd = 7 WHERE scope = 'global'")
    await superuser.execute("UPDATE images SET data = data || 'x' WHERE mime = 'image/webp'")
    await superuser.execute("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    await superuser.execute("UPDATE budgets SET limit_microusd = 1")
    damaged = await owner.fetch(
        "SELECT encode(sha256, 'hex') AS key FROM images WHERE sha256 <> sha256(data)"
    )
    code, said, errors = await fsck(where, tmp_path, "--bytes")

    assert (code, f"violations in {len(NAMES)} checks" in errors) == (1, True)
    rows = [line.split() for line in said.splitlines()]
    assert rows[0] == ["violated", "rule", "subject", "what"]
    violated, warned = rows[1 : (end := rows.index(["warning", *rows[0][1:]]))], rows[end + 1 :]
    assert {row[1] for row in violated} == {"spending", AUDIT, BYTES}
    assert [row[:2] for row in warned] == [["S", "over_budget"]]
    told = {row[2] for row in violated if row[1] == BYTES}
    assert told == {row["key"] for row in damaged} != set()


async def test_only_what_is_named_is_checked(pool: Pool, superuser: Owner) -> None:
    """Where the books are wrong, a check of something else finds nothing."""
    await superuser.execute("INSERT INTO spending VALUES ('global', 'day', now(), 0, 7)")
    async with pool.acquire() as conn:
        for name, number in (("spending", 1), ("told_once", 0)):
            done = await checking.check(conn, [name], lambda *_: None)
            assert (done.checks, len(done.violations)) == (1, number)


async def test_steps_add_up_to_the_checks(pool: Pool) -> None:
    """Whoever shows progress gets to the end once all is checked, with bytes in many pages."""
    async with pool.acquire() as conn:
        await conn.execute(
            "INSERT INTO images (sha256, mime, width, height, data)"
            " SELECT sha256(convert_to(n::text, 'UTF8')), 'image/png', 1, 1,"
            " convert_to(n::text, 'UTF8') FROM generate_series(1, 100) AS n"
        )
        steps: list[tuple[str, float]] = []
        done = await checking.check(conn, NAMES, lambda *step: steps.append(step))
    assert (done.checks, done.violations) == (len(NAMES), [])
    assert round(sum(part for _, part in steps), 6) == len(NAMES)
    assert len([name for name, _ in steps if name == BYTES]) > 3


def test_the_checks_are_listed_with_their_rules() -> None:
    """Every check stands there with its rule, and no name twice; no database is asked."""
    ran = CliRunner().invoke(commands, ["fsck", "--list"])

    assert ran.exit_code == 0
    lines = ran.stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    assert all(len(line.split(maxsplit=2)[2]) > 10 for line in lines)
