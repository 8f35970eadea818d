"""The endpoint's processes: how they start, die, come back and end."""

import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from PIL import Image

from service.errors import StartRefused
from service.local.server import serve
from tests.local.asking import form, get, post
from tests.local.processes import DEADLINE_S, children, ended, in_flight, last_line, running

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVER = ("-m", "service", "local", "--port", "0", "--processes", "1")
SAID = "the local edits endpoint answers at "


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
    async with started() as server:
        [child] = children(server.process.pid)
        asking = asyncio.create_task(post(server.url, form(card, "redact everything")))
        await in_flight(child)

        server.process.send_signal(signal.SIGTERM)

        assert (await asking)[0] == 200
        assert await asyncio.wait_for(server.process.wait(), DEADLINE_S) == 0
        assert not running(child)


async def test_children_end_with_a_killed_server() -> None:
    """No detector process stays behind when the server itself is killed."""
    async with started() as server:
        assert not any("without_redaction" in line for line in server.said)
        [child] = children(server.process.pid)

        server.process.kill()
        await server.process.wait()

    await ended(child)


async def test_without_redaction_it_warns_and_tells_edits_that_it_did_not_make(
    poster: bytes,
) -> None:
    """The switch for tests: the log warns; a box is told, and every pixel is as sent."""
    async with started("--no-redaction") as server:
        status, answer = await post(server.url, form(poster, "box QR codes"))

    assert status == 200
    [item] = answer["data"]
    [finding] = json.loads(item["revised_prompt"])["findings"]
    assert (finding["rule"], finding["edit"]) == ("qr_code", "box")
    given = Image.open(io.BytesIO(base64.b64decode(item["b64_json"])))
    assert given.tobytes() == Image.open(io.BytesIO(poster)).tobytes()
    warnings = [json.loads(line) for line in server.said if "without_redaction" in line]
    assert [line["level"] for line in warnings] == ["warning"]


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


@dataclass(frozen=True, slots=True)
class Started:
    """A server of its own: its process, its address and what it said before it was ready."""

    process: asyncio.subprocess.Process
    url: str
    said: tuple[str, ...]


@contextlib.asynccontextmanager
async def started(*options: str) -> AsyncIterator[Started]:
    """Run the command; it never outlives the test."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, *SERVER, *options),
        env={**os.environ, "MODERATION_LOG": "json"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert server.stdout
    said: list[str] = []
    try:
        while not said or not said[-1].startswith(SAID):
            line = await asyncio.wait_for(server.stdout.readline(), DEADLINE_S)
            assert line, said
            said.append(line.decode().strip())
        url = said[-1].removeprefix(SAID).removesuffix("/v1/images/edits")
        yield Started(server, url, tuple(said[:-1]))
    finally:
        if server.returncode is None:
            server.kill()
        await server.wait()
