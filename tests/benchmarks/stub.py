"""
An upstream for benchmarks: its answers are ready as bytes before the first call.

It runs in a process of its own, so that its work is not counted as a client's.
"""

import asyncio
import base64
import json
import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from aiohttp import web

# What stands before the base64 of the image in an answer of each dialect.
BEFORE_IMAGE: Final[Mapping[str, bytes]] = {
    "openai-images": b'"b64_json":"',
    "openai-chat": b"data:image/png;base64,",
    "gemini": b'"data":"',
}
_KEPT_OPEN_S = 600.0
_START_S = 30.0
_BACKLOG = 2048


def answer(dialect: str, image: bytes, text: str) -> bytes:
    """Write the body of a good answer: compact JSON with a PNG and the model's text."""
    encoded = base64.b64encode(image).decode()
    body: dict[str, Any]
    if dialect == "gemini":
        parts = [{"text": text}, {"inlineData": {"mimeType": "image/png", "data": encoded}}]
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
        body = {"candidates": [candidate]}
    elif dialect == "openai-chat":
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
        message = {"role": "assistant", "content": text, "images": [picture]}
        body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    else:
        body = {"created": 1, "data": [{"b64_json": encoded, "revised_prompt": text}]}
    return json.dumps(body, separators=(",", ":")).encode()


@contextmanager
def running(
    answers: Mapping[str, bytes], waits_s: Mapping[str, tuple[float, float]] | None = None
) -> Iterator[str]:
    """
    Serve while the context is open; gives the server's address.

    A GET of a folder tells how many calls of it were under way at once, at most.

    Args:
        answers: The first folder of a URL, and the answer to every POST below it.
        waits_s: The least and the most that answers of a folder are held back, seconds; each its
            own time between them.  Those of a folder that is not here come at once.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(
        target=_serve, args=(dict(answers), dict(waits_s or {}), theirs), daemon=True
    )
    process.start()
    theirs.close()
    try:
        assert ours.poll(_START_S), f"the stub did not start within {_START_S:g} s"
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(
    answers: Mapping[str, bytes], waits_s: Mapping[str, tuple[float, float]], ready: Connection
) -> None:
    asyncio.run(_served(answers, waits_s, ready))


async def _served(
    answers: Mapping[str, bytes], waits_s: Mapping[str, tuple[float, float]], ready: Connection
) -> None:
    now, most = Counter[str](), Counter[str]()

    async def post(request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        await request.read()
        now[folder] += 1
        most[folder] = max(most[folder], now[folder])
        if folder in waits_s:
            await asyncio.sleep(random.uniform(*waits_s[folder]))
        now[folder] -= 1
        return web.Response(body=answers[folder], content_type="application/json")

    async def get(request: web.Request) -> web.Response:
        return web.json_response(most[request.match_info["folder"]])

    application = web.Application(client_max_size=2**30)
    application.router.add_post("/{folder}/{path:.+}", post)
    application.router.add_get("/{folder}", get)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=_KEPT_OPEN_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=_BACKLOG).start()
    ready.send(runner.addresses[0][1])
    await asyncio.Event().wait()
