"""The call for a description alone, and what every failure of a call brings with it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from service.edits import AttemptFailed, Edit
from service.edits.client import DESCRIBERS, EditsClient
from tests import draw
from tests.conftest import configured
from tests.dialects import samples
from tests.dialects.samples import PROMPT, SAID

EDIT = Edit(PROMPT, draw.png(8, 8, "teal"), "image/png")


@dataclass(slots=True)
class Endpoint:
    """Answers any route with one stored sample; keeps the bodies that arrive."""

    url: str = ""
    dialect: str = ""
    case: str = "good"
    bodies: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.text())
        given = samples.reply(self.dialect, self.case)
        return web.Response(body=given.body, status=given.status, headers=given.headers)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a real socket."""
    opened = Endpoint()
    app = web.Application()
    app.router.add_post("/v1/{path:.*}", opened.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        opened.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield opened
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("dialect", DESCRIBERS)
async def test_description_comes_back_alone(endpoint: Endpoint, dialect: str) -> None:
    """The faults of the last one are sent, and text, tokens and reply come back."""
    endpoint.dialect = dialect
    async with EditsClient() as client:
        description, reply = await client.describe(
            EDIT, ["severity 9 is over 4"], configured(endpoint.url, dialect=dialect)
        )
    assert description.text == SAID
    assert (description.tokens.input, description.tokens.output) == (300, 1120)
    assert reply.body == samples.reply(dialect, "good").body
    assert "severity 9 is over 4" in endpoint.bodies[0]


@pytest.mark.parametrize("dialect", DESCRIBERS)
@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        ("text_missing", "no_description"),
        ("echo", "no_description"),
        ("refused", "refused"),
        ("http_401", "unauthorised"),
        ("http_429_header", "rate_limited"),
        ("html", "malformed_answer"),
    ],
)
async def test_failed_description_brings_its_reply(
    endpoint: Endpoint, dialect: str, case: str, outcome: str
) -> None:
    """A description fails by the same names as an edit, with what came."""
    endpoint.dialect, endpoint.case = dialect, case
    async with EditsClient() as client:
        with pytest.raises(AttemptFailed) as caught:
            await client.describe(EDIT, [], configured(endpoint.url, dialect=dialect))
    assert caught.value.outcome == outcome
    assert caught.value.reply is not None
    assert caught.value.reply.body == samples.reply(dialect, case).body


async def test_failed_edit_brings_its_reply(endpoint: Endpoint) -> None:
    """What came is there for the ledger's digest and for people; where nothing came, nothing is."""
    endpoint.dialect, endpoint.case = "openai-images", "http_500"
    async with EditsClient() as client:
        with pytest.raises(AttemptFailed) as caught:
            await client.edit(EDIT, configured(endpoint.url))
        assert caught.value.reply is not None
        assert caught.value.reply.status == 500
        # The frame that read the reply is still in the traceback.
        assert "opened" in [entry.name for entry in caught.traceback]
        with pytest.raises(AttemptFailed) as caught:
            await client.edit(EDIT, configured("http://nowhere.invalid/v1"))
        assert caught.value.reply is None
