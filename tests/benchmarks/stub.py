"""
An upstream for benchmarks: its answers are ready as bytes before the first call.

It runs in a process of its own, so that its work is not counted as a client's.
"""

import asyncio
import base64
import json
import multiprocessing
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
def running(answers: Mapping[str, bytes]) -> Iterator[str]:
    """
    Serve while the context is open; gives the server's address.

    Args:
        answers: The first folder of a URL, and the answer to every POST below it.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(dict(answers), theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(_START_S), f"the stub did not start within {_START_S:g} s"
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(answers: Mapping[str, bytes], ready: Connection) -> None:
    asyncio.run(_served(answers, ready))


async def _served(answers: Mapping[str, bytes], ready: Connection) -> None:
    async def post(request: web.Request) -> web.Response:
        await request.read()
        body = answers[request.match_info["folder"]]
        return web.Response(body=body, content_type="application/json")

    application = web.Application(client_max_size=2**30)
    application.router.add_post("/{folder}/{path:.+}", post)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=_KEPT_OPEN_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready.send(runner.addresses[0][1])
    await asyncio.Event().wait()
