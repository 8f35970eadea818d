"""Other platforms: whatever one can name of another's is answered like what nobody has."""

import itertools
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from service import auth
from service.store import Conn, Pool, tokens
from service.web import application
from tests.conftest import Api, Caller
from tests.web import ended
from tests.web.sending import PNG, caller

SOME_ID = "01a00000-0000-7000-8000-000000000000"
DOCUMENT = application.api().document()
# The time, and the length of an answer that repeats what was asked.
VARYING = ("Date", "Content-Length")
ENDPOINT = """
    INSERT INTO endpoints (id, platform, url, events, secrets)
    VALUES ($1, 'other', 'https://example.org/', '{upload.described}', '{whsec_x}')
"""
CALLBACK = """
    INSERT INTO callbacks (id, upload_id, type, body) VALUES ($1, $1, 'upload.described', '{}')
"""


async def owned(api: Api, pool: Pool, owner: Conn) -> dict[str, str]:
    """
    Give another platform one of everything that a platform's address can name.

    Address (up to its first parameter) to what stands for that parameter.
    """
    other = await caller(api, pool, "platform", "other")
    async with pool.acquire() as conn:
        bearer = await tokens.find(conn, auth.digest(other.token))
    assert bearer is not None
    upload = await ended.add(owner, ended.Ended("clean", platform="other"))
    endpoint = uuid.uuid4()
    await owner.execute(ENDPOINT, endpoint)
    await owner.execute(CALLBACK, upload)
    return {
        "/v1/uploads/": str(upload),
        "/v1/callbacks/": str(upload),
        "/v1/callbacks/endpoints/": str(endpoint),
        "/v1/tokens/": str(bearer.id),
        "/v1/platforms/": "other",
    }


def platforms_operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give every operation that a platform may call: method, path and description."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if "platform" in operation.get("x-roles", ()):
                yield method.upper(), path, operation


async def told(asking: Caller, method: str, path: str, named: str, **body: Any) -> object:
    """All that an answer tells, but for the name that was asked for."""
    status, answer, headers = await asking.ask(method, path, json=body)
    values = {name: value for name, value in headers.items() if name not in VARYING}
    return status, str(answer).replace(named, "NAMED"), values


async def test_on_every_path_another_platforms_is_answered_like_none(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """Status, headers and body tell nothing apart: foreign or missing."""
    theirs = await owned(api, pool, owner)
    for method, path, _ in platforms_operations():
        begin, parameter, rest = path.partition("{")
        if not parameter or begin == "/v1/hooks/":
            continue  # a hook's parameter names no platform's property
        rest = rest.partition("}")[2].replace("{name}", "edited")
        nobodys = "nobody" if begin == "/v1/platforms/" else SOME_ID
        foreign, missing = [
            await told(api.platform, method, begin + one + rest, one)
            for one in (theirs[begin], nobodys)
        ]
        assert foreign == missing, (method, path)
        assert "404" in str(foreign)
    assert await owner.fetchval("SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL") == 0
    assert await owner.fetchval("SELECT count(*) FROM endpoints WHERE disabled_at IS NULL") == 1


async def test_no_list_shows_or_finds_what_is_another_platforms(
    api: Api, pool: Pool, owner: Conn
) -> None:
    """No list has it, and asking a list for it by name answers as for a name that nobody has."""
    theirs = await owned(api, pool, owner)
    for method, path, operation in platforms_operations():
        if method != "GET" or "{" in path:
            continue
        status, answer, _ = await api.platform.ask(method, path)
        assert status == 200, path
        assert not any(one in str(answer) for one in theirs.values()), path
        for parameter in operation["parameters"]:
            name, about = parameter["name"], str(parameter["schema"])
            asked = {"platform": ("other", "nobody")}.get(name)
            if "'uuid'" in about:
                asked = (theirs["/v1/uploads/"], SOME_ID)
            if asked is not None:
                foreign, missing = [
                    await told(api.platform, method, f"{path}?{name}={one}", one) for one in asked
                ]
                assert foreign == missing, (path, name)


async def test_nothing_is_made_in_another_platforms_name(api: Api, pool: Pool, owner: Conn) -> None:
    """A body that names another platform, or its things, is answered as if nobody had them."""
    theirs = await owned(api, pool, owner)
    made = await counted(owner)
    times = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    endpoints = theirs["/v1/callbacks/endpoints/"], SOME_ID
    for path, name, body, asked in (
        ("/v1/callbacks/endpoints", "platform", {"url": "https://example.org/"}, None),
        ("/v1/callbacks/redeliver", "platform", times, None),
        ("/v1/callbacks/redeliver", "endpoint", times, endpoints),
        ("/v1/tokens", "platform", {"role": "platform"}, None),
    ):
        foreign, missing = [
            await told(api.platform, "POST", path, one, **body, **{name: one})
            for one in asked or ("other", "nobody")
        ]
        assert foreign == missing, (path, name)
    assert await counted(owner) == made


async def counted(conn: Conn) -> list[int]:
    """Count what could have been made."""
    tables = ("endpoints", "tokens", "delivery_jobs")
    return [await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def test_no_other_platforms_bearer_sees_an_upload(api: Api, pool: Pool) -> None:
    """Each of two platforms reads its own upload and its gate, and finds none of the other's."""
    other = await caller(api, pool, "platform", "other")
    bearers = {"default": api.platform, "other": other}
    uploads = {name: (await one.upload(PNG))["id"] for name, one in bearers.items()}
    for (name, upload), (asking, bearer) in itertools.product(uploads.items(), bearers.items()):
        for ending in ("", "/gate"):
            status, _, _ = await bearer.ask("GET", f"/v1/uploads/{upload}{ending}")
            assert status == (200 if name == asking else 404), (name, asking, ending)
