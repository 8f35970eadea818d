"""Being told to stop: readiness goes first, work ends or is released, and twice means at once."""

import asyncio
import contextlib
import re
import signal
import socket
import time
from asyncio.subprocess import Process
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from service.store import Pool
from service.store.database import Database
from tests.callbacks import driving as callbacks
from tests.callbacks.receivers import hangs, receiving
from tests.flows import driving, processes
from tests.flows.driving import Owner
from tests.flows.processes import Origin
from tests.resisting import logs
from tests.up import driving as commands
from tests.up.driving import Up
from tests.upstream import Upstream, hanging

# Nothing that is tested here may take as long.
LONG_S = 60
AT_ONCE_S = 10.0


async def at_once(process: Process, said: list[bytes]) -> int:
    """Tell a process to stop until it has heard it twice; give its exit code."""
    async with asyncio.timeout(AT_ONCE_S):
        while b"stopping_at_once" not in b"".join(said):
            process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.2)
        return await process.wait()


async def test_second_signal_releases_calls_at_once(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """However long the grace is: the upload is due at once, uncharged, and the exit code is 1."""
    upstream.script = [hanging(asyncio.Event())]
    said: list[bytes] = []
    settings = {"grace_s": LONG_S, "lease_s": 60}
    async with processes.work(
        where, upstream.url, origin=Origin(processes.ROOT, said), **settings
    ) as process:
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        assert await at_once(process, said) == 1
    row = await driving.row(owner, upload)
    assert (row["state"], row["charges"]) == ("queued", 0)
    (released,) = await driving.attempts_of(owner, upload)
    assert (released["outcome"], released["charged"]) == ("released", False)


async def test_readiness_goes_first_and_a_second_signal_ends_serving(
    where: Database,
) -> None:
    """Told once it says so while it still takes connections; told twice it waits for no body."""
    said: list[bytes] = []
    async with processes.serve(where, origin=Origin(processes.ROOT, said), grace_s=LONG_S) as (
        process,
        address,
    ):
        port = int(address.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        await writer.drain()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(AT_ONCE_S), aiohttp.ClientSession() as session:
            told = None
            while told != {"status": "draining"}:
                async with session.get(f"{address}/readyz") as answer:
                    told = await answer.json()
        assert await at_once(process, said) == 1
        writer.close()


@pytest.mark.parametrize(("grace_s", "signals", "code"), [(0, 1, 0), (LONG_S, 2, 1)])
async def test_delivering_stops_within_its_grace(
    grace_s: int, signals: int, code: int, where: Database, owner: Owner
) -> None:
    """A receiver that does not answer holds it up no longer than the grace, nor told twice."""
    said: list[bytes] = []
    async with (
        receiving(hangs(asyncio.Event())) as receiver,
        processes.deliver(where, origin=Origin(processes.ROOT, said), grace_s=grace_s) as process,
    ):
        await callbacks.subscribe(owner, receiver.url)
        await callbacks.tell(owner)
        await receiver.until(1)
        if signals == 1:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), AT_ONCE_S) == code
        else:
            assert await at_once(process, said) == code
    assert await callbacks.states(owner) == ["waiting"]


@pytest.mark.slow
async def test_a_loop_that_is_held_up_ends_after_the_grace(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """A worker that cannot even hear that it is to stop is ended, and others take over."""
    until = asyncio.Event()
    upstream.script = [hanging(until)]
    async with logs.worker(where, upstream.url, grace_s=0) as (process, stderr):
        upload = await driving.queued(pool)
        await upstream.arrived.wait()
        stderr.fill()
        # It is logged that its call ended, and nobody takes the line.
        until.set()
        await driving.ended(owner, upload)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), AT_ONCE_S) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["up", "local"])
def test_second_ctrl_c_ends_everything(tmp_path: Path, command: str) -> None:
    """Told twice, whatever runs on this machine is gone within seconds, with exit code 1."""
    settings = commands.environment(grace_s=LONG_S)
    data = tmp_path / "data"
    with contextlib.ExitStack() as stack:
        if command == "up":
            up = Up.start(data, env=settings)
        else:
            up = Up.begin(data, "local", "--port", 0, env=settings)
            commands.until(lambda: "answers at" in up.err, "endpoint")
            stack.enter_context(_unfinished(up.err))
        family = commands.family(up.process.pid)
        up.process.send_signal(signal.SIGINT)
        # Two that come at the same moment would be one.
        time.sleep(0.2)
        up.process.send_signal(signal.SIGINT)
        ended = up.ended(20)
    assert ended.code == 1, ended.err
    assert ended.complaints == ["moderation: stopped at once, as the second signal asked"]
    assert "Traceback" not in ended.err
    assert commands.alive(list(family)) == []


@contextlib.contextmanager
def _unfinished(told: str) -> Iterator[None]:
    """Keep a request under way, which the first signal waits for: else that one ends it all."""
    found = re.search(r"answers at http://([^:]+):(\d+)", told)
    assert found, told
    head = b"POST /v1/images/edits HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n"
    with socket.create_connection((found[1], int(found[2])), timeout=10) as request:
        # Whoever is told to go on with the body has begun to be handled.
        request.sendall(
            head + b"Content-Type: multipart/form-data; boundary=b\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b"100 Continue" in request.recv(1000)
        yield
