"""Requests that no client library sends: large, broken off, slow, not UTF-8, made to be costly."""

import asyncio
import contextlib
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.store import Conn
from tests.conftest import Api
from tests.web import sending
from tests.web.sending import (
    FORM,
    NOTHING,
    PNG,
    connected,
    form,
    part,
    read_answer,
    send,
    stored,
    until,
)

POST = b"POST /v1/uploads"
# What one request may take on a busy machine; each of these once took many seconds.
QUICK_S = 3.0
CHUNK = b"100000\r\n" + bytes(0x100000) + b"\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_sender_that_reads_only_after_sending_sees_the_413(
    api: Api, owner: Conn, framing: str
) -> None:
    """Also one that writes all of its 26 MB first gets the refusal and no broken connection."""
    if framing == "length":
        headers, body = b"Content-Length: 26214400\r\n", bytes(26_214_400)
    else:
        headers, body = b"Transfer-Encoding: chunked\r\n", CHUNK * 26 + b"0\r\n\r\n"
    headers += b"Content-Type: image/png\r\n"

    answer = await send(api.url, sending.request_bytes(api.platform, POST, headers, body))

    sending.check_problem(answer, 413, "body_too_large")
    assert await stored(owner) == NOTHING


async def test_a_length_over_the_limit_is_refused_before_the_body_is_sent(api: Api) -> None:
    """The 413 comes on the header alone."""
    headers = b"Content-Type: image/png\r\nContent-Length: 26214400\r\n"

    answer = await send(api.url, sending.request_bytes(api.platform, POST, headers))

    sending.check_problem(answer, 413, "body_too_large")


NOT_UTF8 = {
    "encoded path": (b"GET /v1/upl%ffoads", b"", 404),
    "encoded id": (b"GET /v1/uploads/%ed%a0%80", b"", 404),
    "encoded query name": (b"GET /healthz?%ff%ed%a0%80=1", b"", 422),
    "content type": (POST, b"Content-Type: te\xffxt\r\n", 415),
    "content encoding": (POST, b"Content-Type: image/png\r\nContent-Encoding: \xff\r\n", 415),
    "key": (POST, b"Content-Type: image/png\r\nIdempotency-Key: \xff\r\n", 422),
    "boundary": (POST, b'Content-Type: multipart/form-data; boundary="\xff"\r\n', 400),
}


async def test_what_is_not_utf8_is_a_refusal(api: Api, owner: Conn) -> None:
    """Bytes that are no text are the sender's fault wherever they stand, and answered as such."""
    for place, (line, headers, status) in NOT_UTF8.items():
        length = b"Content-Length: %d\r\n" % len(PNG)
        request = sending.request_bytes(api.platform, line, headers + length, PNG)
        got, problem, _ = await send(api.url, request)
        assert (got, problem["status"]) == (status, status), place
    assert await stored(owner) == NOTHING


async def test_a_target_that_is_no_address_is_malformed(api: Api) -> None:
    """The HTTP server itself refuses a request line that is none."""
    for target in (b"/v1/upl\xffoads", b"/healthz?\xff=1", b"/healthz?a=\xff"):
        status, _, _ = await send(api.url, sending.request_bytes(api.platform, b"GET " + target))
        assert status == 400


async def test_a_token_of_odd_bytes_is_an_invalid_token(api: Api) -> None:
    """Whatever stands behind Bearer is looked up or refused, and never a fault of ours."""
    for value in (b"\xff", "tôken".encode(), b"\xed\xa0\x80", b"a\tb"):
        request = sending.request_bytes(api.platform, b"GET /v1/records", token=value)
        sending.check_problem(await send(api.url, request), 401, "token_invalid")


async def test_odd_headers_that_do_not_matter_are_passed_over(api: Api) -> None:
    """A preference or an entity tag that is no text changes nothing."""
    odd = b"Content-Type: image/png\r\nPrefer: wait=\xff\r\nIf-None-Match: \xff\r\n"
    headers = odd + b"Content-Length: %d\r\n" % len(PNG)

    status, _, _ = await send(api.url, sending.request_bytes(api.platform, POST, headers, PNG))

    assert status == 202


COSTLY = {
    "100,000 tiny parts": (FORM, form(part("a", b"") * 100_000), "multipart_malformed"),
    "a million header lines": (
        FORM,
        b"--the-boundary\r\n" + b"A: b\r\n" * 1_000_000,
        "multipart_malformed",
    ),
    "a million half boundaries": (
        FORM,
        part("image", b"\r\n--the-bound" * 1_500_000),
        "multipart_malformed",
    ),
    "2 million unknown fields": (
        "application/json",
        b"{" + b",".join(b'"a%d":0' % number for number in range(2_000_000)) + b"}",
        "body_too_large",
    ),
    "15,000 unknown fields": (
        "application/json",
        b"{" + b",".join(b'"a%d":0' % number for number in range(15_000)) + b"}",
        "validation_failed",
    ),
    "12 million numbers": (
        "application/json",
        b'{"metadata": {"a": [' + b"0," * 12_000_000 + b"0]}}",
        "body_too_large",
    ),
    "10 million brackets": ("application/json", b"[" * 10_000_000, "body_too_large"),
    "an endless fraction": (
        "application/json",
        b'{"image": "", "metadata": {"a": 0.' + b"9" * 20_000_000 + b"}}",
        "empty_body",
    ),
}


async def test_a_body_made_to_be_costly_is_refused_quickly_and_briefly(
    api: Api, owner: Conn
) -> None:
    """The refusal takes little time, and it does not grow with what is refused."""
    for name, (kind, body, code) in COSTLY.items():
        headers = b"Content-Type: %s\r\nContent-Length: %d\r\n" % (kind.encode(), len(body))
        begin = time.perf_counter()
        answer = await send(api.url, sending.request_bytes(api.platform, POST, headers, body))
        assert answer[1]["code"] == code, name
        assert time.perf_counter() - begin < QUICK_S, name
        assert len(str(answer[1])) < 10_000, name
    assert await stored(owner) == NOTHING


async def test_broken_chunks_are_the_senders_fault(api: Api, owner: Conn) -> None:
    """A chunk that lies about its length is refused with 400."""
    headers = b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n"
    request = sending.request_bytes(api.platform, POST, headers, b"5\r\nabcdefgh\r\nzz\r\n")

    status, _, _ = await send(api.url, request)

    assert status == 400
    assert await stored(owner) == NOTHING


async def test_a_body_that_breaks_off_stores_nothing_and_blames_nobody_else(
    api: Api, owner: Conn
) -> None:
    """A sender that leaves in the middle of a body counts as its own fault, not the database's."""
    headers = b"Content-Type: image/png\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n"
    async with connected(api.url) as (reader, writer):
        writer.write(sending.request_bytes(api.platform, POST, headers))
        await reader.readuntil(b"100 Continue\r\n\r\n")
        writer.write(PNG)
        await writer.drain()

    async def counted() -> bool:
        return bool(await _statuses(api))

    await until(counted)
    assert await _statuses(api) == {"400"}
    assert await stored(owner) == NOTHING


async def _statuses(api: Api) -> set[str]:
    _, text, _ = await api.admin.ask("GET", "/metrics")
    return {
        sample.labels["status"]
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == "moderation_http_request_seconds_count"
        and sample.labels["route"] == "/v1/uploads"
    }


async def test_slow_bodies_do_not_hold_up_others(api: Api) -> None:
    """With a hundred bodies under way that do not end, another upload is taken at once."""
    headers = b"Content-Type: image/png\r\nContent-Length: %d\r\n" % len(PNG)
    request = sending.request_bytes(api.platform, POST, headers, PNG)
    async with contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(api.url)) for _ in range(100)]
        for _, writer in slow:
            writer.write(request[:-1])
            await writer.drain()

        async with asyncio.timeout(5):
            await api.platform.upload(PNG)

        # And none of them was lost: the first one's last byte completes it.
        slow[0][1].write(request[-1:])
        status, _, _ = await read_answer(slow[0][0])
        assert status == 202


async def test_a_bomb_in_gzip_is_refused_without_unpacking(api: Api, owner: Conn) -> None:
    """A Content-Encoding is refused on sight, in any spelling, before the body has come."""
    for encoding in (b"gzip", b"GZIP", b"deflate", b"br", b"zstd", b"identity, gzip"):
        headers = b"Content-Type: image/png\r\nContent-Length: 1000\r\nContent-Encoding: %s\r\n"
        request = sending.request_bytes(api.platform, POST, headers % encoding)
        sending.check_problem(await send(api.url, request), 415, "encoding_not_supported")
    assert await stored(owner) == NOTHING
