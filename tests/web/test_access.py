"""Who may do what: tokens, roles, tenants, and addresses that lead nowhere."""

import itertools
import re
import uuid
from collections.abc import Mapping
from typing import Any

from service import administering, auth
from service.store import Conn, Pool, tokens
from service.web import application
from tests.conftest import Api, Caller
from tests.web import sending
from tests.web.sending import NOTHING, PNG, caller, stored

SOME_ID = "01a00000-0000-7000-8000-000000000000"
PNG_TYPE = {"Content-Type": "image/png"}
PARTS = {"{id}": SOME_ID, "{name}": "edited", "{n}": "1", "{check}": SOME_ID}
PARTS |= {"{preset}": "generic", "{platform}": "default", "{secret}": "a wrong one"}
OPERATIONS = [
    (method.upper(), re.sub(r"{\w+}", lambda part: PARTS[part[0]], path), operation)
    for path, item in application.api().document()["paths"].items()
    for method, operation in item.items()
]
GUARDED = [(method, path, one) for method, path, one in OPERATIONS if "x-scope" in one]


def roles(operation: Mapping[str, Any]) -> set[str]:
    """Read the roles that the API's own description names."""
    return set(operation["x-roles"])


def test_only_operators_operations_are_open() -> None:
    """Else everything needs a token; what a platform's own senders post proves itself."""
    operators = {(path, "GET") for path in ("/healthz", "/readyz", "/metrics", "/openapi.json")}
    sent = "/v1/hooks/generic/default"
    greeted = {(sent, "OPTIONS"), (f"{sent}/a wrong one", "OPTIONS")}
    proving = {(sent, "POST"), (f"{sent}/a wrong one", "POST")}
    assert {(path, method) for method, path, one in OPERATIONS if "x-scope" not in one} == (
        operators | greeted | proving
    )


async def test_every_role_that_is_not_named_is_refused(api: Api, owner: Conn) -> None:
    """An operation answers 403 to each role but those its description names."""
    callers: dict[str, Caller] = {role: getattr(api, role) for role in auth.ROLES}
    for (method, path, operation), (role, one) in itertools.product(GUARDED, callers.items()):
        answer = await one.ask(method, path, headers=PNG_TYPE)
        if role in roles(operation):
            assert answer[0] not in (401, 403), (method, path, role)
        else:
            sending.check_problem(answer, 403, "role_not_allowed", f"{method} {path} {role}")
            assert all(allowed in answer[1]["detail"] for allowed in roles(operation))
    assert await stored(owner) == NOTHING


async def test_without_a_valid_token_nothing_is_answered(api: Api, owner: Conn) -> None:
    """No token, another scheme, an unknown token: 401 that says how to authenticate."""
    token = api.platform.token
    refused = {
        "": "token_missing",
        "Bearer": "token_missing",
        f"Basic {token}": "token_missing",
        token: "token_missing",
        "Bearer mod_platform_unknown": "token_invalid",
        f"Bearer {token}x": "token_invalid",
        f"Bearer {auth.digest(token).hex()}": "token_invalid",
    }
    for (method, path, _), (header, code) in itertools.product(GUARDED, refused.items()):
        headers = PNG_TYPE | {"Authorization": header}
        answer = await api.platform.ask(method, path, data=PNG, headers=headers)
        sending.check_problem(answer, 401, code, f"{method} {path} {header}")
        assert answer[2]["WWW-Authenticate"] == "Bearer"
    assert await stored(owner) == NOTHING


async def test_a_revoked_token_ends_at_once(api: Api, pool: Pool) -> None:
    """The request after the revocation is refused, and other tokens go on working."""
    other = await caller(api, pool, "platform", "default")
    await other.upload(PNG)
    async with pool.acquire() as conn:
        bearer = await tokens.find(conn, auth.digest(other.token))
        assert bearer is not None
        await administering.revoke_token(conn, bearer.id)

    answer = await other.ask("POST", "/v1/uploads", data=PNG, headers=PNG_TYPE)

    sending.check_problem(answer, 401, "token_invalid")
    await api.platform.upload(PNG)


async def test_an_unknown_path_is_a_404_problem(api: Api) -> None:
    """There is one shape of refusal, also where no operation is."""
    for path in ("/", "/v1", "/v1/upload", "/v1/uploads/", "/v2/uploads", "/%00"):
        sending.check_problem(await api.platform.ask("GET", path), 404, "not_found", path)


async def test_a_wrong_method_is_told_the_right_one(api: Api) -> None:
    """405 comes with Allow."""
    for method, path, allowed in (
        ("GET", "/v1/uploads", "POST"),
        ("PUT", "/v1/uploads", "POST"),
        ("PUT", f"/v1/uploads/{SOME_ID}", "DELETE,GET,HEAD"),
        ("POST", "/v1/records", "GET,HEAD"),
        ("PATCH", "/metrics", "GET,HEAD"),
    ):
        answer = await api.platform.ask(method, path)
        sending.check_problem(answer, 405, "method_not_allowed", f"{method} {path}")
        assert answer[2]["Allow"] == allowed


ENDINGS = ("", "/gate", "/images/original", "/images/edited", "/images/thumbnail")


async def test_another_platforms_upload_is_answered_like_none(api: Api, pool: Pool) -> None:
    """Status, headers and body tell nothing apart: foreign, missing, or no id at all."""
    other = await caller(api, pool, "platform", "other")
    foreign = (await other.upload(PNG))["id"]

    for ending in ENDINGS:
        answers = []
        for upload in (foreign, str(uuid.uuid4()), SOME_ID, "no-id", "12345678"):
            status, body, headers = await api.platform.ask("GET", f"/v1/uploads/{upload}{ending}")
            names = sorted(dict(headers))
            detail = body.pop("detail").replace(upload, "ID")
            answers.append((status, body, detail, names))
        assert answers[0][0] == 404
        assert all(answer == answers[0] for answer in answers)
    assert (await other.ask("GET", f"/v1/uploads/{foreign}"))[0] == 200


async def test_another_platforms_key_is_another_key(api: Api, pool: Pool) -> None:
    """Idempotency keys of two platforms do not meet."""
    other = await caller(api, pool, "platform", "other")
    one = await api.platform.upload(PNG, "?external_id=1", Idempotency_Key="same")
    two = await other.upload(PNG, "?external_id=2", Idempotency_Key="same")

    assert (one["platform"], two["platform"]) == ("default", "other")
    assert one["id"] != two["id"]


async def test_no_picture_has_another_name(api: Api) -> None:
    """A fourth picture's name is answered like a missing one."""
    upload = (await api.platform.upload(PNG))["id"]
    for name in ("received", "Original", "original%00", "..%2Foriginal"):
        answer = await api.platform.ask("GET", f"/v1/uploads/{upload}/images/{name}")
        assert answer[0] == 404
