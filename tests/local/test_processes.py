"""The endpoint's processes: how they start, die, come back and end."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.errors import StartRefused
from service.local.server import serve
from tests.local.asking import form, get, post

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEADLINE_S = 60.0
SERVER = """
import asyncio, socket
from service import log
from service.local.server import serve
log.configure("json")
sock = socket.create_server(("127.0.0.1", 0))
told = lambda url: print(url, flush=True)
asyncio.run(serve(host="", port=0, processes=1, sock=sock, ready=told))
"""


def children(pid: int) -> list[int]:
    """List the pool children of a process, without the helper that tracks semaphores."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_text()
            found += [int(child)] if "spawn_main" in command else []
    return found


async def test_a_killed_child_is_replaced(local_url: str, poster: bytes) -> None:
    """The request gets a 503 to try again on, and soon the same request is served."""
    [child] = children(os.getpid())
    asking = asyncio.create_task(post(local_url, form(poster)))
    os.kill(child, signal.SIGKILL)

    status, answer = await asking
    if status == 200:
        # The child may have been quicker; then the next one meets the dead pool.
        status, answer = await post(local_url, form(poster))
    assert (status, answer["error"]["type"]) == (503, "server_error")

    deadline = time.monotonic() + DEADLINE_S
    while (await get(f"{local_url}/healthz"))[0] != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert (await post(local_url, form(poster)))[0] == 200


async def test_sigterm_finishes_what_is_in_flight(card: bytes) -> None:
    """A signal during a request lets it end well, then the process exits 0 without children."""
    async with started() as (server, url):
        [child] = children(server.pid)
        asking = asyncio.create_task(post(url, form(card, "redact everything")))
        await in_flight(child)

        server.send_signal(signal.SIGTERM)

        assert (await asking)[0] == 200
        assert await asyncio.wait_for(server.wait(), DEADLINE_S) == 0
        assert not running(child)


async def test_children_end_with_a_killed_server() -> None:
    """No detector process stays behind when the server itself is killed."""
    async with started() as (server, _):
        [child] = children(server.pid)

        server.kill()
        await server.wait()

    deadline = time.monotonic() + DEADLINE_S
    while running(child):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_cold_endpoint_says_so(card: bytes) -> None:
    """Until the children have their models, health and edits answer 503 and ask for patience."""
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    serving = asyncio.create_task(serve(host="", port=0, processes=1, sock=sock))

    health = await get(f"{url}/healthz")
    status, answer = await post(url, form(card))

    assert health == (503, {"status": "warming"})
    assert (status, answer["error"]["type"]) == (503, "server_error")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_without_its_extra_it_does_not_start() -> None:
    """The refusal names what is missing and what to install."""
    script = (
        "import asyncio, sys; sys.modules['cv2'] = None\n"
        "from service.local.server import serve\n"
        "asyncio.run(serve(host='127.0.0.1', port=0, processes=1))"
    )

    said = await last_line(script)

    assert "StartRefused" in said
    assert "cv2" in said
    assert "pip install 'moderation-service[local]'" in said


async def test_the_server_process_loads_no_detector() -> None:
    """OpenCV, onnxruntime and the text reader are left to the children."""
    script = (
        "import sys, service.local.server\n"
        "heavy = {'cv2', 'onnxruntime', 'rapidocr', 'numpy', 'phonenumbers', 'zxingcpp'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)))"
    )

    assert await last_line(script) == "loaded []"


async def test_a_taken_port_is_told(local_url: str) -> None:
    """Two servers cannot have one address; the second says which."""
    port = int(local_url.rsplit(":", 1)[1])

    with pytest.raises(StartRefused, match=str(port)):
        await serve(host="127.0.0.1", port=port, processes=1)


async def last_line(script: str) -> str:
    """Run a script and return the last line it wrote to either stream."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    return said.decode().strip().splitlines()[-1]


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a server of its own and give its process and address; it never outlives the test."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout
    try:
        line = await asyncio.wait_for(server.stdout.readline(), DEADLINE_S)
        yield server, line.decode().strip()
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()


def ticks(pid: int) -> int:
    """Return the processor time that a process has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def running(pid: int) -> bool:
    """Say whether a process still runs; an orphan that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def in_flight(child: int) -> None:
    """Wait until the child works on something."""
    before = ticks(child)
    deadline = time.monotonic() + DEADLINE_S
    while ticks(child) < before + 5:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
