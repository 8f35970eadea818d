"""A gateway with the route of every dialect, each of which answers as a test tells it to."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yarl
from aiohttp import web

from service.edits.client import DIALECTS
from service.probe import specimen
from tests import draw
from tests.upstream import base64_of, description, finding

KEY = "sk-very-secret-4711"
EDITED = draw.png(specimen.SIDE, specimen.SIDE, (216, 201, 163))
DESCRIBED = json.dumps(description(findings=[finding("black-square", edit="remove")]))
IDS = {"x-request-id": "req-1", "CF-Ray": "ray-2"}

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer."""

    body: Body | str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        kind = "text/html" if isinstance(self.body, str) else "application/json"
        return web.Response(text=text, status=self.status, headers=self.headers, content_type=kind)


def error(status: int, message: str, **more: Any) -> Given:
    """Answer with an error as all these gateways shape it."""
    return Given({"error": {"message": message, **more}}, status)


def images(image: bytes | None = EDITED, text: str | None = DESCRIBED) -> Given:
    """Answer as /images/edits."""
    item = {"b64_json": base64_of(image) if image else None, "revised_prompt": text}
    usage = {"input_tokens": 1640, "output_tokens": 1287}
    return Given({"created": 1, "data": [item], "usage": usage}, headers=IDS)


def native(image: bytes | None = EDITED, text: str | None = DESCRIBED) -> Given:
    """Answer as :generateContent."""
    inline = {"inlineData": {"mimeType": "image/png", "data": base64_of(image or b"")}}
    parts = ([{"text": text}] if text else []) + ([inline] if image else [])
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 1640, "candidatesTokenCount": 1287}
    return Given(
        {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "flash-7"}, headers=IDS
    )


def chat(image: bytes | None = EDITED, text: str | None = DESCRIBED) -> Given:
    """Answer as /chat/completions."""
    url = f"data:image/png;base64,{base64_of(image or b'')}"
    shown = [{"type": "image_url", "image_url": {"url": url}}] if image else []
    message = {"role": "assistant", "content": text, "images": shown}
    usage = {"prompt_tokens": 1640, "completion_tokens": 1287}
    choice = {"message": message, "finish_reason": "stop"}
    return Given({"model": "flash-7", "choices": [choice], "usage": usage}, headers=IDS)


# How each dialect's good answer is spelled; a dialect without a row fails the tests.
SPELLED: dict[str, Callable[..., Given]] = {
    "openai-images": images,
    "gemini": native,
    "openai-chat": chat,
}
NO_ROUTE = error(404, "Invalid URL")


@dataclass(slots=True)
class Gateway:
    """Answers by dialect; a route that no test has set does not exist."""

    given: dict[str, Given] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    url: str = ""

    @classmethod
    def all_good(cls) -> "Gateway":
        return cls({dialect: SPELLED[dialect]() for dialect in DIALECTS})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        dialect = _dialect(yarl.URL(request.path).path)
        self.called.append(dialect)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.keys.add(request.headers.get("x-goog-api-key") or bearer)
        return self.given.get(dialect, NO_ROUTE).response()


def _dialect(path: str) -> str:
    if path == "/v1/images/edits":
        return "openai-images"
    if path == "/v1/chat/completions":
        return "openai-chat"
    native = path.startswith("/v1beta/models/") and path.endswith(":generateContent")
    return "gemini" if native else f"an unknown route, {path}"
