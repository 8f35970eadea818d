"""Built requests over real HTTP: the address and the bytes arrive as they were built."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from service.edits.client import DIALECTS, EditsClient
from tests.conftest import configured
from tests.dialects import samples
from tests.dialects.samples import FINAL, SAID
from tests.dialects.test_building import BUILDS, EDIT, built


@dataclass(slots=True)
class Endpoint:
    """Keeps what arrives, and answers with the good sample of one dialect."""

    url: str = ""
    dialect: str = "gemini"
    arrived: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrived.append((request.raw_path, headers, await request.read()))
        return web.Response(body=samples.reply(self.dialect, "good").body)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a real socket that takes any path."""
    opened = Endpoint()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/{path:.*}", opened.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        opened.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield opened
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("model", ["gemini-3.1-flash-image", "google/flash image?x#y%2F"])
@pytest.mark.parametrize("name", BUILDS)
async def test_request_arrives_as_built(endpoint: Endpoint, name: str, model: str) -> None:
    """Path, headers and body cross the socket unchanged, whatever the model is called."""
    request = built(name, f"{endpoint.url}/v1", model=model)
    async with (
        aiohttp.ClientSession() as session,
        session.post(request.url, data=request.body, headers=request.headers) as response,
    ):
        assert response.status == 200
    ((path, headers, body),) = endpoint.arrived
    assert endpoint.url + path == request.url
    assert body == request.body
    assert {name: headers[name.lower()] for name in request.headers} == request.headers


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_configured_dialect_works_through_the_client(
    endpoint: Endpoint, dialect: str
) -> None:
    """Every dialect that can be configured brings image and text back through the client."""
    endpoint.dialect = dialect
    async with EditsClient() as client:
        answer, reply = await client.edit(EDIT, configured(f"{endpoint.url}/v1", dialect=dialect))
    assert (answer.image, answer.text) == (FINAL, SAID)
    assert reply.status == 200
