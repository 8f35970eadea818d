"""Building the request: the multipart body, as two strict readers understand it."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from service import forms
from service.edits import Edit, Request
from service.edits.client import DIALECTS
from tests import draw
from tests.conftest import configured

PROMPT = 'Règles: "quoted"\r\n--moderation-\n漢字 \N{PILE OF POO} <ruleset>\n'
PICTURE = draw.png(64, 48, "teal") + b"\r\n--\r\n\0"


def build(mime: str = "image/png", url: str = "http://127.0.0.1:9/v1", **changes: Any) -> Request:
    edit = Edit(PROMPT, PICTURE, mime)
    return DIALECTS["openai-images"].build(edit, configured(url, **changes))


def parts_of(request: Request) -> dict[str, forms.Part]:
    return {part.name: part for part in forms.read(request.headers["Content-Type"], request.body)}


@pytest.mark.parametrize(
    ("mime", "name"),
    [("image/png", "image.png"), ("image/jpeg", "image.jpg"), ("image/webp", "image.webp")],
)
def test_form_carries_prompt_and_picture_byte_for_byte(mime: str, name: str) -> None:
    """The strict reader gets back exactly the prompt, the picture, model and settings."""
    parts = parts_of(build(mime))
    assert {key: part.data.decode() for key, part in parts.items() if key != "image"} == {
        "model": "gemini-3.1-flash-image-preview",
        "prompt": PROMPT,
        "n": "1",
        "response_format": "b64_json",
    }
    assert (parts["image"].filename, parts["image"].data) == (name, PICTURE)


def test_response_format_can_be_left_out() -> None:
    """GPT image models refuse the field, so a setting leaves it out."""
    assert "response_format" not in parts_of(build(response_format=False))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/"])
def test_address_is_the_base_with_the_route(url: str) -> None:
    """A slash at the end of the base URL changes nothing."""
    assert build(url=url).url == "http://127.0.0.1:9/v1/images/edits"


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_no_authorization_is_sent(key: str | None) -> None:
    """A local endpoint needs no key, and an empty Bearer would be refused by others."""
    assert "Authorization" not in build(key=key).headers


def test_boundary_differs_for_each_request() -> None:
    """Nobody who chooses a picture can know the boundary beforehand."""
    assert build().headers["Content-Type"] != build().headers["Content-Type"]


def test_secrets_are_not_shown_by_repr() -> None:
    """Key, prompt headers and body stay out of logs that print an object."""
    shown = repr(build(key="sk-secret")) + repr(configured("http://127.0.0.1", key="sk-secret"))
    assert "sk-secret" not in shown


async def test_aiohttp_reads_the_same_form() -> None:
    """Another reader of multipart, aiohttp's own, understands the body alike."""
    read: dict[str, bytes] = {}

    async def take(request: web.Request) -> web.Response:
        for name, value in (await request.post()).items():
            read[name] = (
                value.file.read() if isinstance(value, web.FileField) else str(value).encode()
            )
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/images/edits", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    request = build(url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(request.url, data=request.body, headers=request.headers) as response,
        ):
            assert response.status == 200
    finally:
        await runner.cleanup()
    assert read == {name: part.data for name, part in parts_of(request).items()}
