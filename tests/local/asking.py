"""How the tests talk to the endpoint."""

import io
from typing import Any

import aiohttp


def form(image: bytes | None, prompt: str | None = "blur faces", **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    if image is not None:
        data.add_field("image", io.BytesIO(image), filename="a.png", content_type="image/png")
    if prompt is not None:
        data.add_field("prompt", io.BytesIO(prompt.encode()), filename="")
    for name, value in fields.items():
        data.add_field(name, value)
    return data


async def post(url: str, data: Any, **headers: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/images/edits", data=data, headers=headers) as answer,
    ):
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()
