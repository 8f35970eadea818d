"""A real API process over a database that has one of everything, for requests that nobody wrote."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from service import administering, auth
from service.embedded.server import EmbeddedPostgres
from service.store import Conn, database
from tests import conftest, rulesets
from tests.conftest import Caller
from tests.flows import processes
from tests.web import ended, sending
from tests.web.ended import Ended

ENDED = (
    Ended("clean", "allow", external_id="clean"),
    Ended("redacted", "allow_edited", rules=("faces",), severity=2, day=1, image=b"2"),
    Ended("violating", "block", rules=("weapons",), severity=4, day=2, image=b"3"),
    Ended("refused", state="failed", day=3, image=b"4"),
)
# Nobody calls it: no worker runs.
UPSTREAM: dict[str, Any] = {
    "upstream_url": "https://api.example.com/v1",
    "upstream_key": "secret-key",
    "upstream_price_usd": 0.05,
}
_TOLD = """
    INSERT INTO callbacks (id, upload_id, type, body) VALUES ($1, $1, 'upload.described', '{}')
"""
_TRY = """
    INSERT INTO deliveries (callback_id, endpoint, attempt, url, error, finished_at)
    VALUES ($1, $2, 1, 'https://example.org/', 'no answer', now())
"""


@dataclass(frozen=True)
class Filled:
    """The process's address, a caller for each role, and what stands for parameters in paths."""

    url: str
    callers: Mapping[auth.Role, Caller]
    known: Mapping[str, Mapping[str, str]]

    def parameters(self, path: str) -> dict[str, str]:
        """Give what there is for a path's parameters; later prefixes are more particular."""
        return {
            name: value
            for prefix, values in self.known.items()
            if path.startswith(prefix)
            for name, value in values.items()
            if f"{{{name}}}" in path
        }


@contextlib.asynccontextmanager
async def filled(postgres: EmbeddedPostgres, folder: Path) -> AsyncIterator[Filled]:
    """Run the API over a database of its own, filled through the API where that is possible."""
    async with contextlib.AsyncExitStack() as stack:
        where = await stack.enter_async_context(
            conftest.fresh_database(postgres, template=conftest.TEMPLATE)
        )
        owner = await where.connect_owner()
        stack.push_async_callback(owner.close)
        await database.speak_json(owner)
        tokens = await administering.first_tokens(owner, folder / "tokens.json")
        _, url = await stack.enter_async_context(processes.serve(where, **UPSTREAM))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        callers = {role: Caller(session, url, tokens[role]) for role in auth.ROLES}
        yield Filled(url, callers, await _fill(owner, callers))


async def _fill(owner: Conn, callers: Mapping[auth.Role, Caller]) -> dict[str, dict[str, str]]:
    platform, policy, admin = callers["platform"], callers["policy"], callers["admin"]
    queued = await platform.upload(sending.PNG, Idempotency_Key="first")
    uploads = [await ended.add(owner, one) for one in ENDED]
    for text in (rulesets.source(), rulesets.source("faces", "keys")):
        await rulesets.add(policy, text)
    await rulesets.publish(policy, 1)
    checks = "/v1/rulesets/privacy/versions/1/check"
    quote = await made(policy, checks, {}, 200)
    price = {"confirm": {name: quote[name] for name in ("calls", "microusd")}}
    check = await made(policy, checks, price, 202)
    endpoint = await made(platform, "/v1/callbacks/endpoints", {"url": "https://example.org/"})
    await _tell(owner, uploads[0], UUID(endpoint["id"]))
    await made(admin, "/v1/platforms", {"name": "club", "max_uploads_per_day": 10})
    token = await made(platform, "/v1/tokens", {"role": "platform", "scopes": ["uploads:read"]})
    return {
        "/v1/uploads/": {"id": str(uploads[1]), "name": "edited"},
        "/v1/uploads/{id}/gate": {"id": queued["id"]},
        "/v1/rulesets/": {"name": "shop", "n": "2"},
        "/v1/rulesets/{name}/versions/{n}/check": {
            "name": "privacy",
            "n": "1",
            "check": check["id"],
        },
        "/v1/callbacks/": {"id": str(uploads[0])},
        "/v1/callbacks/endpoints/": {"id": endpoint["id"]},
        "/v1/platforms/": {"name": "club"},
        "/v1/tokens/": {"id": token["id"]},
        "/v1/hooks/": {"preset": "generic", "platform": "default", "secret": uuid.uuid4().hex},
    }


async def made(caller: Caller, path: str, body: Any, status: int = 201) -> Any:
    """Make something through the API; give what was answered."""
    got, answer, _ = await caller.ask("POST", path, json=body)
    assert got == status, answer
    return answer


async def _tell(owner: Conn, upload: UUID, endpoint: UUID) -> None:
    await owner.execute(_TOLD, upload)
    await owner.execute(_TRY, upload, endpoint)
