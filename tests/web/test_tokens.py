"""Tokens: shown once, kept as digests, ended at once; each act is in the audit trail."""

import json
import stat
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service import administering, auth
from service.administering import Order
from service.errors import InputRefused, StartRefused
from service.store import Conn, Pool, tokens
from tests.conftest import Api


async def audit(conn: Conn) -> list[tuple[str, str]]:
    """What was entered, in order: action and actor."""
    rows = await conn.fetch(
        "SELECT action, actor FROM audit WHERE action !~ '^ruleset' ORDER BY id"
    )
    return [(row["action"], row["actor"]) for row in rows]


async def everything(owner: Conn) -> str:
    """All rows of all tables as text."""
    tables = await owner.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    rows = [await owner.fetch(f"SELECT t::text FROM {row[0]} AS t") for row in tables]
    return "\n".join(row[0] for table in rows for row in table)


async def test_a_token_is_stored_only_as_its_digest(pool: Pool, owner: Conn) -> None:
    """Whoever reads the whole database cannot act as anybody."""
    async with pool.acquire() as conn:
        token = (await administering.create_token(conn, Order("moderator"))).token

    dump = await everything(owner)

    assert auth.digest(token).hex() in dump
    assert token not in dump
    assert token.encode().hex() not in dump


async def test_no_two_tokens_are_alike_and_none_is_short() -> None:
    """A token has 256 random bits behind the name of its role."""
    made = {auth.new_token("policy") for _ in range(100)}

    assert len(made) == 100
    assert all(token.startswith("mod_policy_") and len(token) >= 54 for token in made)


NOBODY: list[tuple[auth.Role, str | None]] = [
    ("platform", None),
    ("moderator", "default"),
    *(("platform", name) for name in ("", "Upper", "-a", "a b", "a\n", "a\0", "x" * 64)),
]


async def test_a_token_for_nobody_is_refused(pool: Pool, owner: Conn) -> None:
    """Only platforms' tokens name a platform, by a name that can be one; else nothing is made."""
    for role, platform in NOBODY:
        async with pool.acquire() as conn:
            with pytest.raises(InputRefused):
                await administering.create_token(conn, Order(role, platform))

    assert await owner.fetchval("SELECT count(*) FROM tokens") == 0
    assert await audit(owner) == []


async def test_every_act_is_in_the_audit_trail(pool: Pool) -> None:
    """Making a platform, making a token and revoking it are three entries; a failed act is none."""
    async with pool.acquire() as conn:
        made = await administering.create_token(conn, Order("platform", "photo-club"))
        bearer = await tokens.find(conn, auth.digest(made.token))
        assert bearer is not None
        assert await administering.revoke_token(conn, bearer.id)
        assert not await administering.revoke_token(conn, bearer.id)
        assert not await administering.revoke_token(conn, uuid.uuid4())

        assert await audit(conn) == [
            ("platform.create", "command line"),
            ("token.create", "command line"),
            ("token.revoke", "command line"),
        ]


async def test_first_tokens_are_one_for_each_role_in_a_private_file(
    pool: Pool, tmp_path: Path
) -> None:
    """The file is for its owner alone, and all that is in it works."""
    path = tmp_path / "tokens.json"
    async with pool.acquire() as conn:
        made = await administering.first_tokens(conn, path)
        found = [await tokens.find(conn, auth.digest(made[role])) for role in auth.ROLES]

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == made
    assert not path.with_suffix(".new").exists()
    assert [one.role for one in found if one] == list(auth.ROLES)


async def test_a_second_start_changes_nothing(pool: Pool, tmp_path: Path) -> None:
    """The same tokens stay, and neither tokens nor audit grow."""
    path = tmp_path / "tokens.json"
    async with pool.acquire() as conn:
        first = await administering.first_tokens(conn, path)
        before = (await audit(conn), len(await tokens.listed(conn)))

        assert await administering.first_tokens(conn, path) == first
        assert (await audit(conn), len(await tokens.listed(conn))) == before


async def test_tokens_survive_a_new_database_and_a_missing_role(pool: Pool, tmp_path: Path) -> None:
    """What the file has is entered again; what it lacks is made and added to it."""
    path = tmp_path / "tokens.json"
    kept = auth.new_token("platform")
    path.write_text(json.dumps({"platform": kept}))
    async with pool.acquire() as conn:
        made = await administering.first_tokens(conn, path)
        bearer = await tokens.find(conn, auth.digest(kept))

    assert made["platform"] == kept
    assert bearer is not None
    assert bearer.platform == "default"
    assert set(json.loads(path.read_text())) == set(auth.ROLES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_revoked_token_does_not_come_back_with_a_restart(
    api: Api, pool: Pool, tmp_path: Path
) -> None:
    """That it still stands in the file does not make it valid again; a new one takes its place."""
    async with pool.acquire() as conn:
        bearer = await tokens.find(conn, auth.digest(api.platform.token))
        assert bearer is not None
        await administering.revoke_token(conn, bearer.id)
        made = await administering.first_tokens(conn, tmp_path / "tokens.json")

    asked = f"/v1/uploads/{uuid.uuid4()}"
    assert (await api.platform.ask("GET", asked))[0] == 401
    fresh = replace(api.platform, token=made["platform"])
    assert (await fresh.ask("GET", asked))[0] == 404


GOOD = auth.new_token("admin")
DAMAGED: list[Any] = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'"token"',
    json.dumps({"platform": None}).encode(),
    json.dumps({"platform": ""}).encode(),
    json.dumps({"platform": 12345678}).encode(),
    json.dumps({"platform": "short"}).encode(),
    json.dumps({"platform": [GOOD]}).encode(),
    json.dumps({"platform": "é" * 60, "admin": GOOD}).encode(),
]


async def test_a_damaged_file_refuses_the_start(pool: Pool, tmp_path: Path) -> None:
    """Nothing is guessed from it: no token is made of what could be guessed, the file stays."""
    path = tmp_path / "tokens.json"
    for content in DAMAGED:
        path.write_bytes(content)
        async with pool.acquire() as conn:
            with pytest.raises(StartRefused, match=r"tokens\.json"):
                await administering.first_tokens(conn, path)

            assert await tokens.listed(conn) == []
        assert path.read_bytes() == content


async def test_a_folder_in_the_files_place_refuses_the_start(pool: Pool, tmp_path: Path) -> None:
    """What cannot be read is one clear line, not a traceback."""
    (tmp_path / "tokens.json").mkdir()
    async with pool.acquire() as conn:
        with pytest.raises(StartRefused, match=r"tokens\.json"):
            await administering.first_tokens(conn, tmp_path / "tokens.json")
