"""A scripted edits endpoint: a real HTTP server on loopback that answers as a test tells it to."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service import forms
from tests import draw

EDITED = draw.png(64, 48, "black")


@dataclass(frozen=True, slots=True)
class Call:
    """One request that arrived: its fields, the picture's bytes, its headers."""

    fields: dict[str, str]
    image: bytes
    headers: dict[str, str]

    @property
    def prompt(self) -> str:
        return self.fields["prompt"]

    @property
    def schema(self) -> dict[str, Any]:
        inside = self.prompt.split("<description-schema>")[1].split("</description-schema>")[0]
        schema: dict[str, Any] = json.loads(inside)
        return schema


Answer = Callable[[Call, web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Upstream:
    """Answers in the order of ``script``; when it is used up, with a clean description."""

    script: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def edits(self, request: web.Request) -> web.StreamResponse:
        parts = forms.read(request.headers["Content-Type"], await request.read())
        call = Call(
            fields={part.name: part.data.decode() for part in parts if part.filename is None},
            image=next(part.data for part in parts if part.filename is not None),
            headers=dict(request.headers),
        )
        return await self._answered(call, request)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Take a call in the dialect gemini."""
        body = await request.json()
        inline = next(part for part in body["contents"][0]["parts"] if "inlineData" in part)
        prompt = "".join(part["text"] for part in body["systemInstruction"]["parts"])
        return await self._json(request, prompt, inline["inlineData"]["data"])

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Take a call in the dialect openai-chat."""
        system, user = (await request.json())["messages"]
        picture = next(part for part in user["content"] if part["type"] == "image_url")
        encoded = picture["image_url"]["url"].partition(",")[2]
        return await self._json(request, system["content"], encoded)

    async def _json(self, request: web.Request, prompt: str, encoded: str) -> web.StreamResponse:
        image = base64.b64decode(encoded)
        return await self._answered(Call({"prompt": prompt}, image, dict(request.headers)), request)

    async def _answered(self, call: Call, request: web.Request) -> web.StreamResponse:
        self.calls.append(call)
        self.arrived.set()
        answer = self.script.pop(0) if self.script else described()
        return await answer(call, request)


def finding(rule: str, **changes: Any) -> dict[str, Any]:
    """One finding in the middle of the picture."""
    return {
        "rule": rule,
        "rationale": "It is plain to see.",
        "severity": 2,
        "confidence": 0.9,
        "box_2d": [250, 250, 750, 750],
        "edit": "blur",
        **changes,
    }


def description(**changes: Any) -> dict[str, Any]:
    """A description that fits any ruleset's schema."""
    return {
        "summary": "A plain picture.",
        "alt_text": "A plain picture.",
        "findings": [],
        "not_assessed": [],
        "text_to_model": [],
        **changes,
    }


def described(image: bytes = EDITED, **changes: Any) -> Answer:
    """Answer like a model that did its work, in the dialect that was asked."""
    encoded, text = base64_of(image), json.dumps(description(**changes))

    async def answer(_: Call, request: web.Request) -> web.StreamResponse:
        if request.path.endswith(":generateContent"):
            parts = [{"text": text}, {"inlineData": {"mimeType": "image/png", "data": encoded}}]
            candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
            return web.json_response({"candidates": [candidate]})
        if request.path.endswith("/chat/completions"):
            url = f"data:image/png;base64,{encoded}"
            message = {"content": text, "images": [{"image_url": {"url": url}}]}
            return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}]})
        item = {"b64_json": encoded, "revised_prompt": text}
        return web.json_response({"created": 1, "data": [item]})

    return answer


def items(*data: dict[str, Any], **more: Any) -> Answer:
    """Answer 200 with these data items."""
    return document({"created": 1, "data": list(data), **more})


def document(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a JSON document."""

    async def answer(_: Call, __: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def error(status: int, code: str, headers: dict[str, str] | None = None) -> Answer:
    """Answer with an error in OpenAI's shape."""
    body = {"error": {"message": f"it is {code}", "type": "error", "param": None, "code": code}}
    return document(body, status, headers)


def text(body: str, status: int = 200) -> Answer:
    """Answer with something that is not JSON."""

    async def answer(_: Call, __: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status)

    return answer


def echo() -> Answer:
    """Answer with the prompt as the text, as some gateways do."""

    async def answer(call: Call, _: web.Request) -> web.StreamResponse:
        item = {"b64_json": base64_of(EDITED), "revised_prompt": call.prompt}
        return web.json_response({"created": 1, "data": [item]})

    return answer


def cut() -> Answer:
    """Promise a body and break the connection in the middle of it."""

    async def answer(_: Call, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"created": 1, "data": [')
        if request.transport is not None:
            request.transport.abort()
        return response

    return answer


def hanging(until: asyncio.Event) -> Answer:
    """Answer like a model that did its work, but not before the event."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        await until.wait()
        return await described()(call, request)

    return answer


def base64_of(image: bytes) -> str:
    """Encode an image as the wire does."""
    return base64.b64encode(image).decode()
