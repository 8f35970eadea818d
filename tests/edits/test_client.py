"""The client against real sockets: every way a call can break is one typed failure."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from aiohttp import web

from service.edits import MAX_ANSWER_BYTES, AttemptFailed, Edit
from service.edits.client import EditsClient
from tests import draw, upstream
from tests.conftest import configured
from tests.upstream import Answer, Call, Upstream, base64_of

EDIT = Edit("Judge the picture by this ruleset.", draw.png(64, 48, "teal"), "image/png")


@pytest.fixture
async def client() -> AsyncIterator[EditsClient]:
    """An open client."""
    async with EditsClient() as opened:
        yield opened


async def failure(client: EditsClient, url: str, timeout_s: float = 5.0) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        await client.edit(EDIT, configured(url, timeout_s=timeout_s))
    return caught.value


async def test_call_gives_image_text_and_raw_reply(client: EditsClient, upstream: Upstream) -> None:
    """A good answer comes back with its bytes, which the ledger takes the digest of."""
    answer, reply = await client.edit(EDIT, configured(upstream.url))
    assert answer.image == EDIT.image
    assert json.loads(answer.text)["findings"] == []
    assert json.loads(reply.body)["data"][0]["revised_prompt"] == answer.text
    assert upstream.calls[0].image == EDIT.image
    assert upstream.calls[0].headers["Authorization"] == "Bearer secret-key"


async def test_bytes_decide_and_not_the_label(client: EditsClient, upstream: Upstream) -> None:
    """A picture under another type's label is handed on as the bytes that came."""
    jpeg = draw.jpeg(32, 32, "navy")
    item = {"url": f"data:image/png;base64,{base64_of(jpeg)}", "text": "{}"}
    upstream.script = [_items(item)]
    answer, _ = await client.edit(EDIT, configured(upstream.url))
    assert answer.image == jpeg


async def test_cut_off_body_is_typed(client: EditsClient, upstream: Upstream) -> None:
    """A body that ends before its length was reached is ``cut_off``."""
    upstream.script = [_cut()]
    assert (await failure(client, upstream.url)).outcome == "cut_off"


async def test_connection_closed_at_once_is_typed(client: EditsClient, upstream: Upstream) -> None:
    """A connection closed without a word after the request is ``cut_off``: it may be billed."""
    upstream.script = [_hang_up]
    assert (await failure(client, upstream.url)).outcome == "cut_off"
    assert len(upstream.calls) == 1


async def test_garbage_instead_of_http_is_typed(client: EditsClient) -> None:
    """A peer that does not speak HTTP is ``cut_off`` and no traceback."""
    server = await asyncio.start_server(_speak_nonsense, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await failure(client, f"http://127.0.0.1:{port}/v1")).outcome == "cut_off"


async def test_refused_connection_is_unreachable(client: EditsClient) -> None:
    """Nothing was sent, so nothing is charged."""
    assert (await failure(client, f"http://127.0.0.1:{_closed_port()}/v1")).outcome == "unreachable"


async def test_unknown_host_is_unreachable(client: EditsClient) -> None:
    """A name that does not resolve is no fault of the picture."""
    assert (await failure(client, "http://nowhere.invalid/v1")).outcome == "unreachable"


async def test_connect_timeout_is_unreachable(client: EditsClient) -> None:
    """A host that never answers the handshake got nothing, whatever the total limit is."""
    with _full_backlog() as port:
        failed = await failure(client, f"http://127.0.0.1:{port}/v1", timeout_s=0.6)
    assert failed.outcome == "unreachable"


async def test_total_timeout_is_kept(client: EditsClient, upstream: Upstream) -> None:
    """An answer that does not come in time is ``timeout``, soon after the limit."""
    until = asyncio.Event()
    upstream.script = [_hanging(until)]
    began = time.monotonic()
    failed = await failure(client, upstream.url, timeout_s=0.4)
    until.set()
    assert failed.outcome == "timeout"
    assert 0.4 <= time.monotonic() - began < 3


async def test_trickling_answer_ends_by_the_total_limit(
    client: EditsClient, upstream: Upstream
) -> None:
    """A byte now and then does not extend the limit."""
    upstream.script = [_trickle]
    assert (await failure(client, upstream.url, timeout_s=0.4)).outcome == "timeout"


async def test_answer_over_the_cap_is_not_kept(client: EditsClient, upstream: Upstream) -> None:
    """Reading stops at the cap, so that an endless answer costs bounded memory."""
    sent: list[int] = []
    upstream.script = [_endless(sent)]
    failed = await failure(client, upstream.url, timeout_s=30)
    assert failed.outcome == "malformed_answer"
    assert str(MAX_ANSWER_BYTES) in str(failed)
    assert sum(sent) < 2 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirect_is_not_followed(
    client: EditsClient, upstream: Upstream, status: int
) -> None:
    """Picture and key go to the configured host only."""
    location = {"Location": f"{upstream.url}/images/edits"}
    upstream.script = [_document({}, status, location)]
    failed = await failure(client, upstream.url)
    assert (failed.outcome, failed.status) == ("rejected", status)
    assert len(upstream.calls) == 1


async def test_wait_is_read_from_real_headers(client: EditsClient, upstream: Upstream) -> None:
    """Header names arrive in any case, and an HTTP date counts by the upstream's own clock."""
    upstream.script = [
        _document({}, 429, {"Retry-After": "11"}),
        _document({}, 503, {"RETRY-AFTER-MS": "12000"}),
        _document(
            {},
            429,
            {
                "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
                "Retry-After": "Sun, 22 Nov 2026 10:00:13 GMT",
            },
        ),
    ]
    waits = [(await failure(client, upstream.url)).retry_after_s for _ in range(3)]
    assert waits == [11, 12, 13]


async def test_secrets_stay_out_of_failures(client: EditsClient, upstream: Upstream) -> None:
    """No failure's words hold the key or the prompt."""
    upstream.script = [_document({"error": "x"}, 401), _cut()]
    for url in (upstream.url, upstream.url, f"http://127.0.0.1:{_closed_port()}/v1"):
        words = str(await failure(client, url))
        assert "secret-key" not in words
        assert EDIT.prompt not in words


_items, _document, _cut, _hanging = (
    upstream.items,
    upstream.document,
    upstream.cut,
    upstream.hanging,
)


async def _hang_up(_: Call, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _trickle(_: Call, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        async with asyncio.timeout(10):
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)
    except (ConnectionError, TimeoutError):
        return response


def _endless(sent: list[int]) -> Answer:
    async def answer(_: Call, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        chunk = b" " * (1 << 20)
        try:
            while sum(sent) < 4 * MAX_ANSWER_BYTES:
                await response.write(chunk)
                sent.append(len(chunk))
        except ConnectionError:
            pass  # The client hung up, which is what the test waits for.
        return response

    return answer


async def _speak_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"SSH-2.0-nonsense\r\n\r\n")
    await writer.drain()
    writer.close()


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _full_backlog() -> Iterator[int]:
    """Listen without accepting, with the queue full, so that the next handshake hangs."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
