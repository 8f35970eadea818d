"""The doctor says what is wrong with this machine, its settings, and whom it calls."""

import asyncio
import dataclasses
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from service.cli import commands
from service.doctoring import Status, Subject, examining
from service.store.database import Database
from tests.conftest import PRICE, configured
from tests.operating.examined import closed_port, line


async def test_a_database_that_is_away_is_told(bare: Subject) -> None:
    """A closed port is one line without the password; what needs no database is still asked."""
    dsn = f"postgresql://app:secret@127.0.0.1:{closed_port()}/moderation"

    lines = await examining.examine(dataclasses.replace(bare, database=Database(dsn, dsn)))

    assert [one.check for one in lines] == [*examining.HERE, "database"]
    found = line(lines, "database")
    assert found.status == "fail"
    assert "cannot open the database 127.0.0.1/moderation" in found.found
    assert "secret" not in found.found


@pytest.mark.parametrize(
    ("status", "headers", "told", "says"),
    [
        (200, {}, "ok", "answers (HTTP 200"),
        (404, {}, "ok", "answers (HTTP 404"),
        (401, {}, "fail", "HTTP 401"),
        (402, {}, "fail", "HTTP 402"),
        (503, {}, "warn", "HTTP 503"),
        (200, {"Date": "Sun, 01 Nov 2020 00:00:00 GMT"}, "warn", "its clock is"),
    ],
)
async def test_an_upstream_is_asked_for_its_models(
    bare: Subject, status: int, headers: dict[str, str], told: Status, says: str
) -> None:
    """What it answers to an unpaid request is judged; it was asked with the key, and only that."""
    asked: list[tuple[str, str, str]] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append((request.method, request.path, request.headers.get("Authorization", "")))
        return web.Response(status=status, headers=headers)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        lines = await examining.examine(dataclasses.replace(bare, upstreams=(configured(url),)))
    finally:
        await runner.cleanup()

    found = line(lines, "upstream")
    assert (found.status, says in found.found, bool(found.todo)) == (told, True, told != "ok")
    assert f"${PRICE / 1e6:g}" in found.found
    assert "secret-key" not in str(lines)
    assert asked == [("GET", "/v1/models", "Bearer secret-key")]


async def test_an_upstream_that_is_away_is_told(bare: Subject) -> None:
    """Of two upstreams, the one whose port is closed fails by name, and the other is ok."""
    away = configured(f"http://127.0.0.1:{closed_port()}/v1", name="away")

    lines = await examining.examine(dataclasses.replace(bare, upstreams=(*bare.upstreams, away)))

    here, gone = [one for one in lines if one.check == "upstream"]
    assert (here.status, gone.status) == ("ok", "fail")
    assert gone.found.startswith("away at http://127.0.0.1")


@pytest.mark.parametrize(
    ("changes", "check", "status"),
    [
        ({"host": "0.0.0.0"}, "address", "warn"),
        ({"public_url": "http://img.example.org", "public_url_set": True}, "address", "warn"),
        ({"public_url": "https://img.example.org", "public_url_set": True}, "address", "ok"),
        ({"lease_s": 2.0}, "times", "warn"),
        ({"grace_s": 0.0}, "times", "warn"),
        ({"upstreams": (), "no_upstreams": "no upstream is configured"}, "upstream", "warn"),
        ({"concurrency": 10**9}, "open files", "fail"),
        ({"no_database": "it is not set"}, "database", "fail"),
    ],
)
async def test_settings_are_judged(
    bare: Subject, changes: dict[str, object], check: str, status: Status
) -> None:
    """What the settings say is weighed against each other and against the machine."""
    lines = await examining.examine(dataclasses.replace(bare, **changes))  # type: ignore[arg-type]

    assert line(lines, check).status == status


@pytest.fixture
def few_files() -> Iterator[int]:
    """A limit of open files that is too low for what is asked of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
    yield 150
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_too_few_files_are_told(bare: Subject, few_files: int) -> None:
    """A limit below what the calls take fails, with the number that would do."""
    found = line(await examining.examine(dataclasses.replace(bare)), "open files")

    assert found.status == "fail"
    assert f"may open {few_files} files" in found.found
    assert "ulimit -n 160" in found.todo


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
@pytest.mark.parametrize("folder", [".", "not/there/yet"])
async def test_a_full_disk_is_told(bare: Subject, tmp_path: Path, folder: str) -> None:
    """A data folder on a disk that is filled up fails, even before it is made there."""
    small = tmp_path / "small"
    small.mkdir()
    await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small)
    try:
        seen = []
        for kib in (100, 820, 960):
            (small / "file").write_bytes(bytes(kib * 1024))
            lines = await examining.examine(dataclasses.replace(bare, data_dir=small / folder))
            seen.append(line(lines, "data folder").status)
    finally:
        await run("umount", small)
    assert seen == ["ok", "warn", "fail"]


async def run(*arguments: str | Path) -> None:
    """Run a program that must succeed."""
    process = await asyncio.create_subprocess_exec(*arguments)
    assert await process.wait() == 0


def test_the_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, where: Database, tmp_path: Path
) -> None:
    """Without a database it fails in words; with one it has no complaint but what it was told."""
    monkeypatch.setenv("MODERATION_DATA_DIR", str(tmp_path))
    ran = CliRunner().invoke(commands, ["doctor"])
    assert (ran.exit_code, str(ran.exception)) == (1, "1 of 7 lines say fail")
    assert "fail  database     MODERATION_DATABASE_URL is not set" in ran.stdout
    assert "-> see README" in ran.stdout

    monkeypatch.setenv("MODERATION_DATABASE_URL", where.dsn)
    monkeypatch.setenv("MODERATION_WORKERS", "64")
    told = json.loads(CliRunner().invoke(commands, ["doctor", "--json"]).stdout)
    lines = {one["check"]: one for one in told["lines"]}
    assert "no upstream is configured" in lines["upstream"]["found"]
    # 11 of `serve`, 11 of each worker and 5 of `deliver`.
    assert lines["connections"]["found"].endswith(f"which needs {11 + 64 * 11 + 5}")

    monkeypatch.setenv("MODERATION_LEASE_S", "never")
    told = json.loads(CliRunner().invoke(commands, ["doctor", "--json"]).stdout)
    (wrong,) = told["lines"]
    assert (told["status"], wrong["check"], wrong["status"]) == ("fail", "settings", "fail")
    assert "MODERATION_LEASE_S=never" in wrong["found"]
