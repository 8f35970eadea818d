"""Serves the detectors over HTTP the way OpenAI serves image edits, on loopback unless told so."""

import asyncio
import base64
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from service import log, stopping
from service.errors import StartRefused
from service.local import MAX_BYTES, MODEL, Edited, RequestRefused, form, missing_packages
from service.local.pool import DetectorPool, PoolUnavailable

POOL = web.AppKey("pool", DetectorPool)

_FINISH_S = 120.0
_RETRY_AFTER_S = 1
_logger = log.get()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(
    *,
    host: str,
    port: int,
    processes: int,
    sock: socket.socket | None = None,
    ready: Callable[[str], None] | None = None,
    redact: bool = True,
) -> None:
    """
    Serve until SIGTERM or SIGINT, then finish the requests in flight and stop the pool.

    Args:
        host, port: Where to listen; port 0 takes a free one.
        processes: Children that run detectors; each takes one core and about 600 MB.
        sock: A listening socket to use instead of host and port.
        ready: Called with the base URL (without a path) once every child is warm.
        redact: False, for tests only, answers with descriptions of edits that are not made.

    Raises:
        StartRefused: The `local` extra is missing, the address is taken, or no child got warm.
    """
    _require_extra()
    if processes < 1:
        raise StartRefused(f"processes is {processes}; it must be at least 1")
    if not redact:
        _logger.warning("local_edits_without_redaction")
    pool = DetectorPool(processes, redact=redact)
    # A caller that is gone needs no answer: its job leaves the queue, if it has not begun.
    runner = web.AppRunner(
        create_app(pool), access_log=None, shutdown_timeout=_FINISH_S, handler_cancellation=True
    )
    await runner.setup()
    try:
        url = await _listen(runner, host, port, sock)
        await _until_signalled(pool, url, ready)
    finally:
        await runner.cleanup()
        await pool.stop()


def create_app(pool: DetectorPool) -> web.Application:
    """Build the application around a pool; it opens nothing."""
    app = web.Application(middlewares=[_errors], client_max_size=form.MAX_BODY)
    app[POOL] = pool
    app.router.add_post("/v1/images/edits", edit_image)
    app.router.add_get("/v1/models", list_models)
    app.router.add_get("/healthz", tell_health)
    return app


async def edit_image(request: web.Request) -> web.Response:
    """Edit and describe one picture; the description is ``revised_prompt``."""
    try:
        body = await request.read()
    except web.RequestPayloadError as error:
        raise RequestRefused(
            "The body cannot be read: it is cut off or not encoded as it says",
            code="body_unreadable",
        ) from error
    # A large form, or a large picture in base64, would hold up every other request.
    content_type = request.headers.get("Content-Type", "")
    job = await asyncio.to_thread(form.read, content_type, body)
    edited = await request.app[POOL].edit(job)
    answer = await asyncio.to_thread(_answer, edited)
    return web.Response(body=answer, content_type="application/json")


async def list_models(_: web.Request) -> web.Response:
    """List the one model there is."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "moderation-service"}
    return web.json_response({"object": "list", "data": [model]})


async def tell_health(request: web.Request) -> web.Response:
    """Answer 200 once every detector is loaded, 503 before and while the pool is rebuilt."""
    warm = request.app[POOL].warm
    return web.json_response({"status": "ok" if warm else "warming"}, status=200 if warm else 503)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into OpenAI's one shape."""
    try:
        return await handler(request)
    except RequestRefused as error:
        return _problem(error.status, str(error), code=error.code, param=error.param)
    except PoolUnavailable as error:
        answer = _problem(503, str(error), code=error.code)
        answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
        return answer
    except web.HTTPRequestEntityTooLarge:
        said = f"The body is too large; an image may have {MAX_BYTES} bytes"
        return _problem(413, said, code="request_too_large")
    except web.HTTPException as error:
        said = f"{request.method} {request.path}: {error.reason}"
        return _problem(error.status, said, code="invalid_request", headers=_allow(error))
    # Whatever a detector raised, the caller must learn that the picture was not assessed.
    except Exception:
        _logger.exception("local_edit_failed")
        return _problem(500, "The detectors failed on this picture", code="detector_failed")


def _allow(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _problem(
    status: int,
    message: str,
    *,
    code: str,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def _answer(edited: Edited) -> bytes:
    """Build the response body.  Source: openai/types/images_response.py of openai 3.54."""
    picture = base64.b64encode(edited.image).decode()
    answer = {
        "created": int(time.time()),
        "data": [{"b64_json": picture, "revised_prompt": edited.description}],
        "output_format": edited.output_format,
        "size": f"{edited.width}x{edited.height}",
        "usage": {
            "input_tokens": 0,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
            "output_tokens": 0,
            "total_tokens": 0,
        },
    }
    return json.dumps(answer).encode()


def _require_extra() -> None:
    missing = missing_packages()
    if missing:
        raise StartRefused(
            f"The local edits endpoint needs {', '.join(missing)}: "
            "pip install 'moderation-service[local]'"
        )


async def _listen(runner: web.AppRunner, host: str, port: int, sock: socket.socket | None) -> str:
    try:
        site: web.BaseSite = web.SockSite(runner, sock) if sock else web.TCPSite(runner, host, port)
        await site.start()
    except OSError as error:
        # asyncio's own text of the error repeats the address and is not the system's.
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartRefused(
            f"cannot listen on {host}:{port}: {reason}; choose another port with --port"
        ) from error
    address = runner.addresses[0]
    name = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{name}:{address[1]}"


async def _until_signalled(
    pool: DetectorPool, url: str, ready: Callable[[str], None] | None
) -> None:
    """Warm the pool, say so, and wait for a signal; a signal may come at any time."""
    stopped = stopping.on_signals(_FINISH_S)
    waiting = asyncio.create_task(stopped.wait())
    pool.start()
    warming = asyncio.create_task(pool.ready())
    try:
        await asyncio.wait((waiting, warming), return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set():
            return
        try:
            await warming
        except PoolUnavailable as error:
            raise StartRefused(f"The local edits endpoint did not start: {error}") from error
        _logger.info("local_edits_ready", url=url)
        if ready:
            ready(url)
        await waiting
    finally:
        for task in (waiting, warming):
            task.cancel()
        await asyncio.gather(waiting, warming, return_exceptions=True)
