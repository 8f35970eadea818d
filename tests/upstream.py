"""A scripted edits endpoint: a real HTTP server on loopback that answers as a test tells it to."""

import asyncio
import base64
import io
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from PIL import Image

from service import forms
from tests import draw

EDITED = draw.png(64, 48, "black")
_MARK = re.compile(r"sent-times-(\d+)-as-(\w+)\.")


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request that arrived: its fields, the picture's bytes, its headers.

    ``task`` is what the caller asks for beside the prompt; ``alone`` means a description alone,
    without a picture.
    """

    fields: dict[str, str]
    image: bytes
    headers: dict[str, str]
    task: str = ""
    alone: bool = False

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
        picture, task = body["contents"][0]["parts"]
        (prompt,) = body["systemInstruction"]["parts"]
        call = Call(
            fields={"model": request.match_info["model"], "prompt": prompt["text"]},
            image=base64.b64decode(picture["inlineData"]["data"]),
            headers=dict(request.headers),
            task=task["text"],
        )
        return await self._answered(call, request)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Take a call in the dialect openai-chat, for an edit or for a description alone."""
        body = await request.json()
        system, user = body["messages"]
        picture, task = user["content"]
        call = Call(
            fields={"model": body["model"], "prompt": system["content"]},
            image=base64.b64decode(picture["image_url"]["url"].partition(",")[2]),
            headers=dict(request.headers),
            task=task["text"],
            alone=body["modalities"] == ["text"],
        )
        return await self._answered(call, request)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Take a call in the dialect claude-messages, which is for a description alone."""
        body = await request.json()
        picture, task = body["messages"][0]["content"]
        call = Call(
            fields={"model": body["model"], "prompt": body["system"]},
            image=base64.b64decode(picture["source"]["data"]),
            headers=dict(request.headers),
            task=task["text"],
            alone=True,
        )
        return await self._answered(call, request)

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


def dialect_of(request: web.Request) -> str:
    """Tell which dialect a route belongs to."""
    if request.path.endswith(":generateContent"):
        return "gemini"
    if request.path.endswith("/chat/completions"):
        return "openai-chat"
    return "claude-messages" if request.path.endswith("/messages") else "openai-images"


def shaped(dialect: str, said: str | None, *images: str) -> dict[str, Any]:
    """Shape a good answer in a dialect; images are base64 or addresses, drafts first."""
    if dialect == "gemini":
        parts = [] if said is None else [{"text": said}]
        content = {"role": "model", "parts": [*parts, *map(_part, images)]}
        return {"candidates": [{"content": content, "finishReason": "STOP"}]}
    if dialect == "openai-chat":
        urls = [one if "://" in one else f"data:image/png;base64,{one}" for one in images]
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        message = {"role": "assistant", "content": said, "images": shown}
        return {"choices": [{"message": message, "finish_reason": "stop"}]}
    if dialect == "claude-messages":
        blocks = [] if said is None else [{"type": "text", "text": said}]
        return {"content": blocks, "stop_reason": "end_turn"}
    data = [{"url" if "://" in one else "b64_json": one} for one in images] or [{"b64_json": ""}]
    data[-1] |= {} if said is None else {"revised_prompt": said}
    return {"created": 1, "data": data}


def _part(image: str) -> dict[str, Any]:
    if "://" in image:
        return {"fileData": {"mimeType": "image/png", "fileUri": image}}
    return {"inlineData": {"mimeType": "image/png", "data": image}}


def sent(times: int = 1, kind: str = "SENT") -> str:
    """
    Stand in any answer for the base64 of the picture that was sent, whichever that will be.

    It is enlarged so many times and encoded in this format; left alone, its very bytes come back.
    """
    return f"sent-times-{times}-as-{kind}."


SENT = sent()


def made_of(picture: bytes, times: int = 1, kind: str = "SENT") -> bytes:
    """Make what ``sent`` stands for of the picture that was sent."""
    if (times, kind) == (1, "SENT"):
        return picture
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    size = (image.width * times, image.height * times)
    return draw.encoded(image.resize(size), "PNG" if kind == "SENT" else kind)


def filled(body: Any, call: Call) -> str:
    """Encode a body as JSON, with pictures made of the one that was sent where they belong."""

    def encoded(mark: re.Match[str]) -> str:
        return base64_of(made_of(call.image, int(mark[1]), mark[2]))

    return _MARK.sub(encoded, json.dumps(body))


def answered(said: str | None, *images: str, **more: Any) -> Answer:
    """
    Answer with this text and these images, in the dialect that was asked.

    ``more`` are fields on top.  Who asked for a description alone gets no image.
    """

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        body = shaped(dialect_of(request), said, *(() if call.alone else images))
        return web.json_response(text=filled(body | more, call))

    return answer


def described(image: bytes | str = SENT, **changes: Any) -> Answer:
    """Answer in the dialect that was asked with the picture that was sent, unless with another."""
    shown = image if isinstance(image, str) else base64_of(image)
    return answered(json.dumps(description(**changes)), shown)


def items(*data: dict[str, Any], **more: Any) -> Answer:
    """Answer 200 with these data items."""
    return document({"created": 1, "data": list(data), **more})


def document(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a JSON document."""

    async def answer(call: Call, _: web.Request) -> web.StreamResponse:
        return web.json_response(text=filled(body, call), status=status, headers=headers)

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


def echo(said: Callable[[str], str] = str) -> Answer:
    """Answer with the prompt as the text, or with what is made of it, as some gateways do."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return await answered(said(call.prompt), SENT)(call, request)

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
