import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.embedded.leftovers import serving
from service.embedded.server import EmbeddedPostgres

SCRIPT = Path(__file__).with_name("embedded_owner.py")
ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0


class Owner:
    """A process that owns the Postgres of a folder."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> dict[str, Any]:
        """Wait for the next thing it tells."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        told: dict[str, Any] = json.loads(line) if line else {"event": "ended"}
        return told

    def insert(self, rows: int) -> int:
        """Have rows inserted without end; returns once so many are acknowledged: the last one."""
        assert self.process.stdin is not None
        self.process.stdin.write("insert\n")
        self.process.stdin.flush()
        return max(int(self.read()["number"]) for _ in range(rows))

    def rest(self) -> list[dict[str, Any]]:
        """Read all that a killed owner had said."""
        assert self.process.stdout is not None
        lines = self.process.stdout.readlines()
        # A kill can cut the last line short.
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def end(self) -> None:
        """Leave no process and no open pipe behind."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


Own = Callable[[Path], Owner]


@pytest.fixture
def own() -> Iterator[Own]:
    """Start owners that do not outlive the test."""
    owners: list[Owner] = []

    def start(folder: Path) -> Owner:
        owners.append(Owner(folder))
        return owners[-1]

    yield start
    for owner in owners:
        owner.end()


def poll_until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.001)


def last_row(postgres: EmbeddedPostgres) -> int:
    async def ask() -> int:
        conn = await asyncpg.connect(postgres.dsn("postgres", "postgres"))
        try:
            return int(await conn.fetchval("SELECT max(number) FROM rows"))
        finally:
            await conn.close()

    return asyncio.run(ask())


def acknowledged(owner: Owner, at_least: int) -> int:
    """Tell the last row that a killed owner knew to be committed."""
    return max([at_least, *(int(told["number"]) for told in owner.rest())])


@pytest.mark.slow
def test_a_killed_owner_takes_the_server_along_and_loses_no_row(tmp_path: Path, own: Own) -> None:
    """After kill -9 of the owner the server ends by itself, and every acknowledged row is kept."""
    owner = own(tmp_path / "postgres")
    assert owner.read()["event"] == "ready"
    rows = owner.insert(200)
    owner.process.kill()
    rows = acknowledged(owner, rows)
    poll_until(lambda: not serving([tmp_path / "postgres" / "data"]), "the server runs on")
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        assert last_row(postgres) >= rows


def test_a_killed_owner_can_be_followed_at_once(tmp_path: Path, own: Own) -> None:
    """A start right after kill -9 of the owner waits for the old server and finds every row."""
    owner = own(tmp_path / "postgres")
    assert owner.read()["event"] == "ready"
    rows = owner.insert(200)
    owner.process.kill()
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        assert last_row(postgres) >= acknowledged(owner, rows)


def test_a_killed_server_is_reported_and_starts_again(tmp_path: Path) -> None:
    """After kill -9 of the server ``start`` works at once, again and again, and ``poll`` tells."""
    with EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"}) as postgres:
        for _ in range(3):
            killed = postgres.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            postgres.start()
            assert postgres.pid not in {None, killed}
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
        poll_until(lambda: postgres.poll() is not None, "poll says that a dead server lives")
        assert postgres.poll() == -signal.SIGKILL


@pytest.mark.slow
def test_owner_and_server_killed_together_lose_no_row(tmp_path: Path, own: Own) -> None:
    """After kill -9 of both, an instant start recovers every acknowledged row, three times over."""
    folder = tmp_path / "postgres"
    rows = 0
    for _ in range(3):
        owner = own(folder)
        ready = owner.read()
        rows = max(rows, owner.insert(100))
        os.kill(ready["server"], signal.SIGKILL)
        owner.process.kill()
        with EmbeddedPostgres(folder) as postgres:
            rows = acknowledged(owner, rows)
            assert last_row(postgres) >= rows


def test_a_second_process_is_refused_with_the_pid_of_the_first(tmp_path: Path, own: Own) -> None:
    """Another process learns who owns the folder; the first one goes on."""
    first = own(tmp_path / "postgres")
    assert first.read()["event"] == "ready"
    refused = own(tmp_path / "postgres").read()
    assert refused["event"] == "refused"
    assert f"process {first.process.pid}" in refused["message"]
    assert str(tmp_path / "postgres") in refused["message"]
    assert first.insert(1) == 1


@pytest.mark.parametrize("made", ["PG_VERSION", "base/1", "global/pg_control", "postgresql.conf"])
def test_an_owner_killed_while_making_the_cluster_is_repaired(
    tmp_path: Path, own: Own, made: str
) -> None:
    """A kill -9 in the middle of initdb leaves nothing that the next start trips over or keeps."""
    folder = tmp_path / "postgres"
    owner = own(folder)
    poll_until(lambda: list(folder.glob(f"data.new-*/{made}")), "initdb never got that far")
    owner.process.kill()
    owner.process.wait()
    assert not (folder / "data").exists(), "initdb had already ended: the kill came too late"
    with EmbeddedPostgres(folder, settings={"fsync": "off"}) as postgres:
        assert postgres.poll() is None
    # The sockets lie elsewhere where the folder's own path is too long for them.
    left = {entry.name for entry in folder.iterdir()} - {"sockets"}
    assert left == {"data", "owner.lock", "postgres.log"}
