import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import tied_exec
from service.embedded import binaries as embedded_binaries
from service.embedded import server
from service.embedded.account import choose, environment
from service.embedded.leftovers import read_pid_file, serving, settle
from service.embedded.server import EmbeddedPostgres

QUICK = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with EmbeddedPostgres(tmp_path / "postgres", settings=QUICK):
        return tmp_path / "postgres"


@pytest.fixture
def orphan(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that nobody owns, as on a system that does not end it with its owner."""
    data = folder / "data"
    program = [str(embedded_binaries.find(None) / "postgres"), "-D", str(data)]
    program += ["-c", f"unix_socket_directories={folder / 'sockets'}", "-c", "listen_addresses="]
    command = choose("auto").command(program, signal.SIGINT)
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 10
        while read_pid_file(data) != (server.pid, "ready"):
            assert time.monotonic() < deadline, "the orphan was never ready"
            time.sleep(0.01)
        yield server
        server.kill()


def freeze(process: subprocess.Popen[bytes]) -> None:
    """Stop a child of ours until it gets SIGCONT; returns once it stands still."""
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


def test_an_orphan_that_takes_its_time_is_waited_for(
    folder: Path, orphan: subprocess.Popen[bytes]
) -> None:
    """The new server starts only after the old one, slow to stop, has shut down in good order."""
    freeze(orphan)
    thaw = threading.Timer(0.5, os.kill, (orphan.pid, signal.SIGCONT))
    thaw.start()
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        assert orphan.wait(10) == 0
        assert postgres.pid in serving([folder / "data"])
    thaw.join()


def test_an_orphan_that_does_not_react_is_killed(
    folder: Path, orphan: subprocess.Popen[bytes]
) -> None:
    """A frozen server is killed with all its processes, and the next start recovers the data."""
    freeze(orphan)
    settle(folder / "data", [folder / "data"], patience_s=(0.1, 0.1, 10.0))
    assert orphan.wait(10) == -signal.SIGKILL
    assert serving([folder / "data"]) == []
    with EmbeddedPostgres(folder, settings=QUICK) as postgres:
        assert postgres.poll() is None


def test_a_server_that_does_not_stop_is_killed() -> None:
    """Stopping ends even a process that reacts to no signal; it never waits for ever."""
    frozen = subprocess.Popen(["/bin/sleep", "60"])
    freeze(frozen)
    server._end(frozen, fast_s=0.1, immediate_s=0.1)
    assert frozen.returncode == -signal.SIGKILL


def test_a_server_whose_owner_died_meanwhile_never_starts(tmp_path: Path) -> None:
    """Between the start of its process and the request to die with the owner, the owner may end."""
    script = Path(tied_exec.__file__)
    no_parent = os.getppid()
    program = ["/bin/sh", "-c", f"touch {tmp_path / 'started'}"]
    ended = subprocess.run(
        [sys.executable, "-I", "-S", script, str(no_parent), "2", "-1", "-1", *program],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 1
    assert f"process {no_parent}, the owner of this server, is gone" in ended.stderr
    assert not (tmp_path / "started").exists()
