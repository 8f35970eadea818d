"""What a token may do and until when, over HTTP; nobody gives what he does not have."""

import asyncio
import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service import administering, auth
from service.administering import Order
from service.errors import InputRefused
from service.store import Conn, Pool
from tests.conftest import Api, Caller
from tests.web import sending
from tests.web.sending import PNG
from tests.web.test_access import GUARDED

PNG_TYPE = {"Content-Type": "image/png"}
SOON = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
LATER = (datetime.now(UTC) + timedelta(hours=2)).isoformat()


async def make(by: Caller, **order: object) -> tuple[Caller, dict[str, Any]]:
    """Make a token that must be made; its bearer and what was answered."""
    status, body, headers = await by.ask("POST", "/v1/tokens", json=order)
    assert status == 201, body
    assert headers["Location"] == f"/v1/tokens/{body['id']}"
    assert headers["Cache-Control"] == "no-store"
    return dataclasses.replace(by, token=body["token"]), body


async def listed(by: Caller, query: str = "") -> list[dict[str, Any]]:
    """The tokens that a bearer sees."""
    status, body, _ = await by.ask("GET", f"/v1/tokens{query}")
    assert status == 200, body
    items: list[dict[str, Any]] = body["items"]
    return items


async def test_a_token_is_made_used_listed_and_ended(api: Api) -> None:
    """Its value is shown once; its use is noted; after its end it is refused."""
    order = {"role": "platform", "platform": "club", "name": "hook", "expires_at": LATER}
    bearer, made = await make(api.admin, **order)
    assert (await bearer.upload(PNG))["platform"] == "club"

    (shown,) = await listed(api.admin, "?platform=club")
    assert shown["last_used_at"] > made["created_at"]
    assert shown | {"last_used_at": None, "token": bearer.token} == made
    assert bearer.token not in str(await listed(api.admin))
    assert (await bearer.ask("GET", f"/v1/tokens/{made['id']}"))[1] == shown

    assert (await api.admin.ask("DELETE", f"/v1/tokens/{made['id']}"))[0] == 204
    refused = await bearer.ask("POST", "/v1/uploads", data=PNG, headers=PNG_TYPE)
    sending.check_problem(refused, 401, "token_invalid")
    again = await api.admin.ask("DELETE", f"/v1/tokens/{made['id']}")
    sending.check_problem(again, 404, "not_found")


async def test_an_expired_token_is_told_so(api: Api, owner: Conn) -> None:
    """401 with a detail that says when it ended, on every route that needs a token."""
    bearer, made = await make(api.admin, role="platform", platform="club", expires_at=SOON)
    await owner.execute(
        "UPDATE tokens SET expires_at = now() - interval '1 s' WHERE id = $1", made["id"]
    )
    for method, path, _ in GUARDED:
        answer = await bearer.ask(method, path, data=PNG, headers=PNG_TYPE)
        sending.check_problem(answer, 401, "token_invalid", f"{method} {path}")
        assert "this token expired at 20" in answer[1]["detail"]


async def test_use_is_noted_once_a_minute(api: Api, owner: Conn) -> None:
    """However often it is used, its row is written no more often, so reading stays cheap."""
    noted = "SELECT last_used_at FROM tokens WHERE role = 'moderator'"
    await asyncio.gather(*(api.moderator.ask("GET", "/v1/records") for _ in range(20)))
    first = await owner.fetchval(noted)
    await api.moderator.ask("GET", "/v1/records")
    assert first is not None
    assert await owner.fetchval(noted) == first
    await owner.execute("UPDATE tokens SET last_used_at = last_used_at - interval '61 s'")
    await api.moderator.ask("GET", "/v1/records")
    assert await owner.fetchval(noted) > first


def test_every_route_has_a_scope_that_can_be_given() -> None:
    """A route whose scope is not in the list could never be opened by a token with scopes."""
    assert {operation["x-scope"] for _, _, operation in GUARDED} <= set(auth.SCOPES)


async def test_a_scope_opens_what_it_names_alone(api: Api) -> None:
    """On every route: without its scope 403 that names it, with it anything else."""
    for role in auth.ROLES:
        platform = {"platform": "club"} if role == "platform" else {}
        bearer, _ = await make(
            api.admin, role=role, scopes=["uploads:read", "records:read"], **platform
        )
        for method, path, operation in GUARDED:
            if role not in operation["description"]:
                continue
            status, body, _ = await bearer.ask(method, path, headers=PNG_TYPE)
            if operation["x-scope"] in ("uploads:read", "records:read"):
                assert status not in (401, 403), (method, path, body)
            else:
                assert (status, body["code"]) == (403, "scope_not_allowed"), (method, path)
                assert operation["x-scope"] in body["detail"]


ORDERS: dict[str, tuple[dict[str, Any], int, str]] = {
    "empty": ({}, 422, "validation_failed"),
    "a king": ({"role": "king"}, 422, "validation_failed"),
    "a platform's without its name": ({"role": "platform"}, 422, "validation_failed"),
    "a moderator of a platform": (
        {"role": "moderator", "platform": "club"},
        422,
        "validation_failed",
    ),
    "golden": ({"role": "platform", "platform": "golden-examples"}, 422, "validation_failed"),
    "no scope": ({"role": "admin", "scopes": []}, 422, "validation_failed"),
    "unknown scope": ({"role": "admin", "scopes": ["uploads:eat"]}, 422, "validation_failed"),
    "end in no zone": (
        {"role": "admin", "expires_at": "2030-01-01T00:00:00"},
        422,
        "validation_failed",
    ),
    "end as a number": ({"role": "admin", "expires_at": 4e9}, 422, "validation_failed"),
    "control character": ({"role": "admin", "name": "a\0"}, 422, "validation_failed"),
    "unknown field": ({"role": "admin", "sudo": True}, 422, "validation_failed"),
}


@pytest.mark.parametrize("case", ORDERS)
async def test_a_wrong_order_makes_nothing(api: Api, owner: Conn, case: str) -> None:
    """It is refused with the field or the value named."""
    order, status, code = ORDERS[case]
    before = await owner.fetchval("SELECT count(*) FROM tokens")
    sending.check_problem(await api.admin.ask("POST", "/v1/tokens", json=order), status, code)
    assert await owner.fetchval("SELECT count(*) FROM tokens") == before


async def test_a_platform_makes_its_own_only(api: Api, owner: Conn) -> None:
    """Another platform's is answered like one that is not there, another role is refused."""
    _, made = await make(api.platform, role="platform", name="mobile")
    assert made["platform"] == "default"
    before = await owner.fetchval("SELECT count(*) FROM tokens")
    for order, status, code in (
        ({"role": "platform", "platform": "other"}, 404, "not_found"),
        ({"role": "admin"}, 403, "role_not_allowed"),
        ({"role": "moderator"}, 403, "role_not_allowed"),
    ):
        answer = await api.platform.ask("POST", "/v1/tokens", json=order)
        sending.check_problem(answer, status, code, str(order))
    assert await owner.fetchval("SELECT count(*) FROM tokens") == before
    assert await owner.fetchval("SELECT count(*) FROM platforms WHERE name = 'other'") == 0


async def test_nobody_gives_more_than_he_has(api: Api) -> None:
    """Neither scopes nor time: what is stolen cannot be made into something better."""
    scopes = ["tokens:write", "uploads:write"]
    bearer, _ = await make(
        api.admin, role="platform", platform="club", scopes=scopes, expires_at=SOON
    )
    given = {"role": "platform", "scopes": ["uploads:write"], "expires_at": SOON}
    await make(bearer, **given)
    for change, status, code in (
        ({"scopes": None}, 403, "scope_not_allowed"),
        ({"scopes": ["uploads:write", "uploads:read"]}, 403, "scope_not_allowed"),
        ({"expires_at": None}, 422, "validation_failed"),
        ({"expires_at": LATER}, 422, "validation_failed"),
    ):
        answer = await bearer.ask("POST", "/v1/tokens", json=given | change)
        sending.check_problem(answer, status, code, str(change))


async def test_tokens_are_paged(api: Api) -> None:
    """Every token is on exactly one page, the oldest first; a foreign platform's are not there."""
    for number in range(5):
        await make(api.platform, role="platform", name=str(number))
    await make(api.admin, role="platform", platform="other")
    seen, query = [], "?limit=2"
    while True:
        _, page, _ = await api.platform.ask("GET", f"/v1/tokens{query}")
        seen += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        query = f"?limit=2&cursor={page['next']}"
    assert seen == [None, "0", "1", "2", "3", "4"]
    foreign = await api.platform.ask("GET", "/v1/tokens?platform=other")
    missing = await api.platform.ask("GET", "/v1/tokens?platform=nobody")
    sending.check_problem(foreign, 404, "not_found")
    assert str(foreign[1]).replace("other", "") == str(missing[1]).replace("nobody", "")


async def test_rotation_overlaps(pool: Pool, api: Api, owner: Conn) -> None:
    """Both work until the old one ends; the new one may do the same, for as long again."""
    end = datetime.now(UTC) + timedelta(days=30)
    order = Order("platform", "club", "hook", ("uploads:write", "uploads:read"), end)
    async with pool.acquire() as conn:
        old = await administering.create_token(conn, order)
        new = await administering.rotate_token(conn, old.id, timedelta(hours=24))
        for one in (old, new):
            await dataclasses.replace(api.platform, token=one.token).upload(PNG)
        rows = {row["id"]: row for row in await owner.fetch("SELECT * FROM tokens")}
        same = ("role", "platform", "name", "scopes")
        assert [rows[old.id][name] for name in same] == [rows[new.id][name] for name in same]
        left = rows[old.id]["expires_at"] - datetime.now(UTC)
        assert timedelta(hours=23) < left <= timedelta(hours=24)
        assert abs(rows[new.id]["expires_at"] - end) < timedelta(minutes=1)

        last = await administering.rotate_token(conn, new.id, timedelta(0))
        for ended in (new.id, uuid.uuid4()):
            with pytest.raises(InputRefused, match=str(ended)):
                await administering.rotate_token(conn, ended, timedelta(0))
    refused = await dataclasses.replace(api.platform, token=new.token).ask("GET", "/v1/tokens")
    sending.check_problem(refused, 401, "token_invalid")
    await dataclasses.replace(api.platform, token=last.token).upload(PNG)
    acts = await owner.fetch("SELECT subject FROM audit WHERE action = 'token.rotate' ORDER BY id")
    assert [row["subject"] for row in acts] == [str(old.id), str(new.id)]


async def test_a_first_token_that_expired_is_made_anew(
    pool: Pool, owner: Conn, tmp_path: Path
) -> None:
    """After the token of `up` was rotated and ran out, the next start has one that works."""
    path = tmp_path / "tokens.json"
    async with pool.acquire() as conn:
        first = await administering.first_tokens(conn, path)
        await owner.execute("UPDATE tokens SET expires_at = now() WHERE role = 'admin'")
        second = await administering.first_tokens(conn, path)
    assert {role for role in auth.ROLES if first[role] != second[role]} == {"admin"}
