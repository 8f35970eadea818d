"""What may be fetched for a platform: set as a whole, read without its secrets."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from service.store import Conn
from service.store.database import Database
from tests.conftest import Api
from tests.up import driving
from tests.web import sending

DEFAULT = "/v1/platforms/default"
STORE = {
    "bucket": "photos",
    "endpoint": "https://s3.example.org/",
    "access_key_id": "AKIA7EXAMPLE",
    "secret_access_key": "key-of-the-store",
    "session_token": "token-of-the-store",
}
SECRETS = ("key-of-the-store", "token-of-the-store", "hook-secret-of-the-club")
FETCHING = {"hosts": ["*.Example.org", "10.0.0.1"], "stores": [STORE]}
HOOKS = {"authentication": [{"kind": "bearer", "secrets": ["hook-secret-of-the-club"]}]}


async def test_secrets_are_kept_and_never_shown(api: Api, owner: Conn) -> None:
    """The answers, the list and the audit trail have asterisks; the table has what works."""
    body = {"fetching": FETCHING, "hooks": HOOKS}
    status, answered, _ = await api.admin.ask("PATCH", DEFAULT, json=body)
    assert status == 200, answered
    shown = answered["fetching"]["stores"][0]
    assert shown["secret_access_key"] == shown["session_token"] == "*" * 10
    assert (shown["region"], shown["path_style"]) == ("us-east-1", True)
    assert answered["fetching"]["hosts"] == ["*.example.org", "10.0.0.1"]
    assert answered["hooks"]["authentication"][0]["secrets"] == ["*" * 10]
    for caller in (api.admin, api.platform):
        for path in (DEFAULT, "/v1/platforms"):
            answer = str(await caller.ask("GET", path))
            assert not any(one in answer for one in SECRETS)
    trail = await owner.fetchval("SELECT detail FROM audit WHERE action = 'platform.set'")
    assert trail["fetching"]["stores"][0]["bucket"] == "photos"
    assert not any(one in str(trail) for one in SECRETS)
    kept = await owner.fetchrow("SELECT fetching, hooks FROM platforms WHERE name = 'default'")
    assert kept is not None
    assert (kept["fetching"]["stores"], kept["hooks"]) == ([STORE], HOOKS)

    _, taken_back, _ = await api.admin.ask("PATCH", DEFAULT, json={"fetching": None})
    assert (taken_back["fetching"], taken_back["hooks"]) == (None, answered["hooks"])


WRONG: dict[str, dict[str, Any]] = {
    "hosts": {"hosts": ["http://example.org"]},
    "port": {"hosts": ["example.org:80"]},
    "star inside": {"hosts": ["a.*.org"]},
    "star alone": {"hosts": ["*"]},
    "unknown": {"host": ["example.org"]},
    "no keys": {"stores": [{"bucket": "photos", "endpoint": "https://s3.example.org"}]},
    "bucket": {"stores": [STORE | {"bucket": "a/b"}]},
    "scheme": {"stores": [STORE | {"endpoint": "file:///etc"}]},
    "mask": {"stores": [STORE | {"secret_access_key": "*" * 10}]},
    "twice": {"stores": [STORE, STORE]},
}


async def test_wrong_settings_are_refused_without_being_repeated(api: Api, owner: Conn) -> None:
    """Each is a 422 that quotes no secret, and nothing is stored."""
    for name, fetching in WRONG.items():
        answer = await api.admin.ask("PATCH", DEFAULT, json={"fetching": fetching})
        sending.check_problem(answer, 422, "validation_failed", name)
        assert not any(one in str(answer[1]) for one in SECRETS), name
    assert await owner.fetchval("SELECT count(*) FROM platforms WHERE fetching IS NOT NULL") == 0


@pytest.mark.slow
async def test_command_takes_them_from_files(where: Database, tmp_path: Path) -> None:
    """What is in the file is set, told as set, and listed with asterisks; none takes it back."""
    path = tmp_path / "fetching.json"
    path.write_text(json.dumps(FETCHING))

    async def run(*arguments: object) -> driving.Ended:
        return await asyncio.to_thread(driving.run, *arguments, database_url=where.dsn)

    done = await run("platforms", "set", "club", "--fetching", path)
    assert (done.code, "fetching set, hooks -" in done.out) == (0, True), done.err
    listed = (await run("platforms", "list", "--json")).out
    (club,) = [one for one in json.loads(listed)["items"] if one["name"] == "club"]
    assert club["fetching"]["stores"][0]["secret_access_key"] == "*" * 10
    assert not any(one in listed for one in SECRETS)
    done = await run("platforms", "set", "club", "--fetching", "none")
    assert (done.code, "fetching -" in done.out) == (0, True), done.err
    path.write_text(json.dumps({"stores": [STORE | {"bucket": ""}]}))
    done = await run("platforms", "set", "club", "--fetching", path)
    assert (done.code, "stores.0.bucket" in done.err) == (2, True), done.err
    assert not any(one in done.err for one in SECRETS)
    assert (await run("platforms", "set", "club", "--hooks", tmp_path / "no")).code == 2


@pytest.mark.parametrize("value", ["", "127.0.0.1, Photos.Internal"])
async def test_trusted_hosts_are_a_setting(where: Database, value: str) -> None:
    """The operator's list is read as that of callbacks is; a process starts with it."""
    done = await asyncio.to_thread(
        driving.run, "platforms", "list", database_url=where.dsn, fetch_hosts=value
    )
    assert done.code == 0, done.err
