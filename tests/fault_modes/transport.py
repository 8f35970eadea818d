"""What goes wrong below the dialect: connections, lengths, encodings, and bodies that are none."""

import asyncio
import functools
import gzip
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from tests.fault_modes import CLEAN, IMAGE, Mode, everywhere, merged
from tests.upstream import Answer, Call, cut, dialect_of, document, filled, shaped, text

# A deadline that a test can wait for.
_SHORT = {"timeout_s": 0.5}
_CAP = {"max_answer_bytes": 1 << 20}
# More than an upstream may answer where no cap is configured.
_ENDLESS_BYTES = 65 << 20


def _good(call: Call, request: web.Request) -> bytes:
    return filled(shaped(dialect_of(request), CLEAN, IMAGE), call).encode()


def _raw(made: Callable[[bytes], bytes]) -> Answer:
    """Write what is made of the good body to the socket as it is, and close."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(made(_good(call, request)))
        request.transport.close()
        return web.Response()

    return answer


def _http(head: str, made: Callable[[bytes], bytes] = bytes) -> Answer:
    """Write a 200 with these header lines and what is made of the good body, and close."""
    lines = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode()
    return _raw(lambda body: lines + made(body))


def _bodied(made: Callable[[bytes], bytes], headers: dict[str, str] | None = None) -> Answer:
    """Answer 200 with what is made of the good body, its length right."""

    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        return web.Response(body=made(_good(call, request)), headers=headers)

    return answer


def _chunked(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


@functools.cache
def _gzip_bomb() -> bytes:
    return gzip.compress(b" " * _ENDLESS_BYTES, 1)


async def _hang_up(_: Call, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _reset(_: Call, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    # Closing with this option sends RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return web.Response()


async def _never(_: Call, request: web.Request) -> web.StreamResponse:
    async with asyncio.timeout(10):
        # aiohttp has no event for a client that gave up.
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
    return web.Response()


def _dripping(piece: bytes, pause_s: float, most: int) -> Answer:
    """Send a piece now and then, until the client hangs up or so many were sent."""

    async def answer(_: Call, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _piece in range(most):
                await response.write(piece)
                await asyncio.sleep(pause_s)
        except ConnectionError:
            return response  # The client hung up, which is what the test waits for.
        return response

    return answer


async def _head_alone(call: Call, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    return await _never(call, request)


def _mode(answer: Answer, outcome: str, seen: str, **settings: float) -> Mode:
    return Mode(everywhere(answer), outcome, seen, settings=settings)


BROKEN = {
    "body_cut": _mode(cut(), "cut_off", "spectre-pro/gemini-proxy#3"),
    "closed_at_once": _mode(_hang_up, "cut_off", "hardening R5"),
    "reset": _mode(_reset, "cut_off", "hardening R5"),
    "closed_after_the_head": _mode(
        _http("Content-Length: 1000", lambda _: b""), "cut_off", "wire 6"
    ),
    "length_too_long": _mode(_http("Content-Length: 999999"), "cut_off", "wire 6"),
    "length_too_short": _mode(_http("Content-Length: 30"), "cut_off", "wire 6"),
    "chunk_cut": _mode(
        _http("Transfer-Encoding: chunked", lambda body: _chunked(body)[:-40]),
        "cut_off",
        "runpod worker-comfyui#126",
    ),
    "last_chunk_missing": _mode(
        _http("Transfer-Encoding: chunked", _chunked), "cut_off", "runpod worker-comfyui#126"
    ),
    "chunk_size_no_number": _mode(
        _http("Transfer-Encoding: chunked", lambda body: b"zz\r\n" + body),
        "cut_off",
        "hardening R5",
    ),
    "two_lengths": _mode(
        _http("Content-Length: 5\r\nContent-Length: 7"), "cut_off", "request smuggling"
    ),
    "no_http": _mode(_raw(lambda _: b"SSH-2.0-nonsense\r\n\r\n"), "cut_off", "a wrong port"),
    "head_too_long": _mode(_http("X-Long: " + "x" * 20_000), "cut_off", "hardening R5"),
    "gzip_that_is_none": _mode(
        _bodied(bytes, {"Content-Encoding": "gzip"}), "cut_off", "a gateway that copies headers"
    ),
    "gzip_cut": _mode(
        _bodied(lambda body: gzip.compress(body)[:-20], {"Content-Encoding": "gzip"}),
        "malformed_answer",
        "wire 6",
    ),
}
LATE = {
    "hanging": _mode(_never, "timeout", "hardening R5", **_SHORT),
    "hanging_after_the_head": _mode(_head_alone, "timeout", "hardening R5", **_SHORT),
    "dripping": _mode(_dripping(b" ", 0.05, 200), "timeout", "hardening R5", **_SHORT),
}
MALFORMED = {
    "html_200": _mode(text("<html>Welcome</html>"), "malformed_answer", "wire 6"),
    "empty_200": _mode(text(""), "malformed_answer", "issue: an empty 200"),
    "blank_200": _mode(text(" \r\n" * 200), "malformed_answer", "keep-alive blanks"),
    "words_200": _mode(text("upstream busy"), "malformed_answer", "wire 6"),
    "null": _mode(document(None), "malformed_answer", "wire 6"),
    "array": _mode(document([]), "malformed_answer", "wire 6"),
    "string": _mode(document(CLEAN), "malformed_answer", "a gateway that encodes twice"),
    "number": _mode(document(200), "malformed_answer", "wire 6"),
    "half_a_body": _mode(
        _bodied(lambda body: body[: len(body) // 2]), "malformed_answer", "CLIProxyAPI#5363"
    ),
    "half_a_body_without_length": _mode(
        _http("Connection: close", lambda body: body[: len(body) // 2]),
        "malformed_answer",
        "CLIProxyAPI#5363",
    ),
    "two_bodies": _mode(_bodied(lambda body: body * 2), "malformed_answer", "a retrying proxy"),
    "events_unasked": _mode(
        _bodied(lambda body: b"data: " + body + b"\n\n", {"Content-Type": "text/event-stream"}),
        "malformed_answer",
        "WebAI2API#102",
    ),
    "byte_order_mark": _mode(
        _bodied(lambda body: b"\xef\xbb\xbf" + body), "malformed_answer", "hardening 4"
    ),
    "utf_16": _mode(
        _bodied(lambda body: body.decode().encode("utf-16")), "malformed_answer", "hardening 4"
    ),
    "deep_body": _mode(
        _bodied(lambda _: b'{"data":' + b"[" * 50_000), "malformed_answer", "hardening 4"
    ),
    "endless": _mode(
        _dripping(b" " * (1 << 20), 0, _ENDLESS_BYTES >> 20),
        "malformed_answer",
        "issue: 2 GB",
        **_CAP,
    ),
    "gzip_bomb": _mode(
        _bodied(lambda _: _gzip_bomb(), {"Content-Encoding": "gzip"}),
        "malformed_answer",
        "hardening R17",
        **_CAP,
    ),
}
HARMLESS = {
    "gzip": _mode(_bodied(gzip.compress, {"Content-Encoding": "gzip"}), "described", "any proxy"),
    "chunked": _mode(
        _http("Transfer-Encoding: chunked", lambda body: _chunked(body) + b"0\r\n\r\n"),
        "described",
        "any proxy",
    ),
    "without_length": _mode(_http("Connection: close"), "described", "any proxy"),
    "early_hints": _mode(
        _raw(
            lambda body: (
                b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
        ),
        "described",
        "any proxy",
    ),
    "called_text": _mode(
        _bodied(bytes, {"Content-Type": "text/plain"}), "described", "label, wire 6"
    ),
}
MODES = merged(BROKEN, LATE, MALFORMED, HARMLESS)
