"""Deadlines, caps and hostile peers on real sockets: a typed outcome, soon, in bounded memory."""

import asyncio
import contextlib
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from service.edits import MAX_ANSWER_BYTES, AttemptFailed, Edit
from service.edits.client import EditsClient
from tests import draw
from tests.conftest import configured
from tests.edits.site import Talk, peer

EDIT = Edit("Judge the picture by this ruleset.", draw.png(64, 48, "teal"), "image/png")
MEGABYTE = 1 << 20
CAP = 8 * MEGABYTE
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def failure(address: str, **limits: object) -> AttemptFailed:
    url = address if "://" in address else f"http://{address}/v1"
    async with EditsClient() as client:
        with pytest.raises(AttemptFailed) as caught:
            await client.edit(EDIT, configured(url, **limits))
    return caught.value


def says(*pieces: bytes) -> Talk:
    """Say this and close the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(pieces)

    return talk


def goes_on(beginning: bytes, piece: bytes, sent: list[int]) -> Talk:
    """Say the same piece without an end, as long as somebody listens."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        async with asyncio.timeout(20):
            while True:
                writer.write(piece)
                await writer.drain()
                sent.append(len(piece))

    return talk


def waits(beginning: bytes, until: asyncio.Event) -> Talk:
    """Say the beginning and nothing more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        await until.wait()

    return talk


@contextlib.contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """Measure the most memory that Python held at once since the beginning, in bytes."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


async def test_two_gigabytes_announced_are_refused_at_once() -> None:
    """What says that it is too long is not read at all."""
    sent: list[int] = []
    beginning = OK + b"Content-Length: 2147483648\r\n\r\n"
    with memory() as held:
        async with peer(goes_on(beginning, b" " * MEGABYTE, sent)) as address:
            failed = await failure(address)
    assert (failed.outcome, failed.status) == ("malformed_answer", 200)
    assert str(MAX_ANSWER_BYTES) in str(failed)
    assert sum(sent) < 16 * MEGABYTE
    assert held() < 16 * MEGABYTE


CHUNK = b"100000\r\n" + b" " * MEGABYTE + b"\r\n"


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
        (b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n", b" " * MEGABYTE),
        (b"Connection: close\r\n\r\n", b" " * MEGABYTE),
    ],
)
async def test_endless_answer_is_left_at_the_cap(beginning: bytes, piece: bytes) -> None:
    """Two gigabytes and more that nobody announced are read up to the cap and not kept."""
    sent: list[int] = []
    with memory() as held:
        async with peer(goes_on(OK + beginning, piece, sent)) as address:
            failed = await failure(address, max_answer_bytes=CAP, timeout_s=20)
    assert (failed.outcome, failed.status) == ("malformed_answer", 200)
    assert str(CAP) in str(failed)
    assert sum(sent) < CAP + 16 * MEGABYTE
    assert held() < 2 * CAP + 16 * MEGABYTE


@pytest.mark.parametrize(("name", "bits"), [("gzip", 31), ("deflate", 15)])
async def test_compressed_bomb_is_left_at_the_cap(name: str, bits: int) -> None:
    """A quarter of a megabyte that expands to 256 is expanded up to the cap, step by step."""
    packer = zlib.compressobj(9, wbits=bits)
    bomb = b"".join(packer.compress(b" " * MEGABYTE) for _ in range(256)) + packer.flush()
    headers = f"Content-Encoding: {name}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with memory() as held:
        async with peer(says(OK, headers, bomb)) as address:
            failed = await failure(address, max_answer_bytes=CAP, timeout_s=20)
    assert failed.outcome == "malformed_answer"
    assert str(CAP) in str(failed)
    assert held() < 2 * CAP + 16 * MEGABYTE


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (OK, b"X-More: of the same\r\n"),
        (OK + b"X-Long: ", b"a" * 4096),
        (b"HTTP/1.1 200 ", b"O" * 4096),
    ],
)
async def test_endless_headers_are_cut_off(beginning: bytes, piece: bytes) -> None:
    """Headers that do not end are given up long before they fill the memory."""
    sent: list[int] = []
    with memory() as held:
        async with peer(goes_on(beginning, piece, sent)) as address:
            failed = await failure(address, timeout_s=20)
    assert failed.outcome == "cut_off"
    assert held() < 16 * MEGABYTE
    assert len(str(failed)) < 2000


async def test_many_small_values_are_not_parsed() -> None:
    """Eight megabytes of empty objects would take two hundred once they are parsed."""
    body = b'{"data": [' + b"{}," * (CAP // 3 - 20) + b"{}]}"
    with memory() as held:
        async with peer(says(OK, f"Content-Length: {len(body)}\r\n\r\n".encode(), body)) as address:
            failed = await failure(address, max_answer_bytes=CAP, timeout_s=20)
    assert failed.outcome == "malformed_answer"
    assert "values" in str(failed)
    assert held() < 4 * CAP + 16 * MEGABYTE


def whole(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (whole(b""), "malformed_answer"),
        (
            whole(b"<html>Sign in</html>", headers=b"Content-Type: text/html\r\n"),
            "malformed_answer",
        ),
        (whole(b"[" * 200_000), "malformed_answer"),
        (whole(b'{"data": ' * 50_000), "malformed_answer"),
        (whole(b"not gzip", headers=b"Content-Encoding: gzip\r\n"), "cut_off"),
        (whole(b"\x1f\x8b", headers=b"Content-Encoding: gzip\r\n"), "malformed_answer"),
        (OK + b'Content-Length: 99\r\n\r\n{"data": [', "cut_off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", "cut_off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}", "cut_off"),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "cut_off"),
        (OK + b"Content-Length: -1\r\n\r\n{}", "cut_off"),
        (OK + b"Content-Length: \xff\r\n\r\n{}", "cut_off"),
        (b"", "cut_off"),
        (b"HTTP/1.1", "cut_off"),
        (b"HTTP/9.9 200 OK\r\n\r\n", "cut_off"),
        (whole(b"", b"999 Whatever"), "upstream_error"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "rejected"),
    ],
)
async def test_broken_http_is_typed(said: bytes, outcome: str) -> None:
    """Whatever bytes a peer says, one of the known outcomes follows."""
    async with peer(says(said)) as address:
        assert (await failure(address)).outcome == outcome


async def test_silence_ends_by_its_own_limit() -> None:
    """An answer that stops coming is left, though the whole call has time."""
    until = asyncio.Event()
    for beginning in (b"", OK + b"Content-Length: 9\r\n\r\n{"):
        began = time.monotonic()
        async with peer(waits(beginning, until)) as address:
            failed = await failure(address, read_timeout_s=0.3, timeout_s=20)
            until.set()
        until.clear()
        assert (failed.outcome, str(failed)) == ("timeout", "nothing came for 0.3 s")
        assert 0.3 <= time.monotonic() - began < 5


async def test_slow_answer_is_not_silence() -> None:
    """A peer that says a little in time may take longer than the limit of silence."""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for sign in whole(b"{}"):
            writer.write(bytes([sign]))
            await asyncio.sleep(0.02)

    async with peer(slowly) as address:
        began = time.monotonic()
        failed = await failure(address, read_timeout_s=0.5, timeout_s=20)
    assert failed.outcome == "no_image"
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize(
    "limits", [{"connect_timeout_s": 0.3, "timeout_s": 20.0}, {"timeout_s": 0.6}]
)
async def test_handshake_without_an_answer_costs_nothing(limits: dict[str, float]) -> None:
    """Connecting includes TLS, ends before the call does, and leaves the picture unsent."""
    until = asyncio.Event()
    began = time.monotonic()
    async with peer(waits(b"", until)) as address:
        failed = await failure(f"https://{address}/v1", **limits)
        until.set()
    assert failed.outcome == "unreachable"
    assert 0.3 <= time.monotonic() - began < 5


async def test_endless_interim_answers_end_with_the_call() -> None:
    """A peer that says only that it will say more is left at the total limit."""
    sent: list[int] = []
    talk = goes_on(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", sent)
    with memory() as held:
        async with peer(talk) as address:
            failed = await failure(address, timeout_s=0.5)
    assert failed.outcome in ("timeout", "cut_off")
    assert held() < 64 * MEGABYTE
