"""Starting twice, stopping, and being the first process of a container."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from service.embedded.server import EmbeddedPostgres
from tests import draw
from tests.up import driving
from tests.up.driving import Up, until

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_stop_is_clean_in_the_middle_of_work(tmp_path: Path, number: signal.Signals) -> None:
    """Told to stop, it drains and exits 0 without a traceback, an error, or a lost upload."""
    up = Up.start(tmp_path / "data")
    family = driving.family(up.process.pid)
    sent = [up.ask("/v1/uploads", data=draw.png(60, 40, (shade, 1, 1)))["id"] for shade in range(8)]

    ended = up.end(number)

    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert "[error" not in ended.err
    assert "[warning" not in ended.err
    assert driving.alive(list(family)) == []
    # What was not finished in time is released at once: nobody holds it until a lease runs out.
    with EmbeddedPostgres(tmp_path / "data" / "postgres") as postgres:
        rows = driving.query(
            postgres.dsn("moderation", "postgres"),
            """
            SELECT uploads.state, count(*), count(records.upload_id) AS recorded
              FROM uploads LEFT JOIN records ON records.upload_id = uploads.id
             WHERE uploads.id = ANY($1)
             GROUP BY uploads.state
            """,
            sent,
        )
    assert sum(row["count"] for row in rows) == len(sent)
    recorded = {row["state"]: row["recorded"] / row["count"] for row in rows}
    assert recorded in ({"done": 1}, {"queued": 0}, {"done": 1, "queued": 0})


def test_ctrl_c_during_the_start_is_one_line(tmp_path: Path) -> None:
    """Stopped before all is up, it says so and leaves nothing running."""
    up = Up.begin(tmp_path / "data")
    until(lambda: "process_started" in up.err, "first process")
    family = driving.family(up.process.pid)
    ended = up.end(signal.SIGINT)
    assert ended.code == 1
    assert ended.complaints == ["moderation: stopped before everything was up"]
    assert "Traceback" not in ended.err
    assert driving.alive(list(family)) == []


def test_second_up_names_the_holder_of_the_folder(service: Up) -> None:
    """One folder, one `up`: the second is refused, names the first one's pid, and harms nothing."""
    ended = driving.run("up", "--port", 0, "--data-dir", service.data_dir)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert f"is in use by process {service.process.pid}" in line
    assert service.ask("/readyz")["status"] == "ok"


@pytest.mark.parametrize("command", ["up", "local"])
def test_taken_port_is_named(tmp_path: Path, command: str) -> None:
    """A port that somebody else has is refused in one line that names it, before any start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = driving.run(command, "--port", port, data_dir=tmp_path / "data")
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert str(port) in line
    assert "Address already in use" in line


def unshare_refused() -> str:
    """Tell why no process namespace can be made here; empty if one can."""
    if shutil.which(UNSHARE[0]) is None:
        return "there is no unshare command"
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip()


@pytest.mark.slow
@pytest.mark.skipif(bool(unshare_refused()), reason=f"no process namespace: {unshare_refused()}")
def test_first_process_of_a_container_works_and_reaps(tmp_path: Path) -> None:
    """As PID 1 it serves, waits for orphans that are not its own, and stops on SIGTERM."""
    up = Up.begin(tmp_path / "data", prefix=UNSHARE)
    try:
        until((tmp_path / "data" / "address").is_file, f"address; it said {up.err}")
        (first,) = [
            pid
            for pid, words in driving.family(up.process.pid).items()
            if "up" in words and "service" in words
        ]
        answer = up.ask("/v1/uploads", data=draw.png(60, 40, "olive"))
        until(lambda: up.ask(f"/v1/uploads/{answer['id']}")["state"] == "done", "end of upload")
        # The worker dies, its decoders and their servers become orphans of PID 1, and end.
        victim = until(lambda: up.role("work"), "worker")
        os.kill(victim, signal.SIGKILL)
        until(lambda: up.role("work") not in (None, victim), "new worker")
        until(lambda: zombies(first) == [], "end of zombies", timeout_s=15)
        assert up.ask("/readyz")["status"] == "ok"
        os.kill(first, signal.SIGTERM)
        ended = up.ended()
    finally:
        if up.process.poll() is None:
            up.end(signal.SIGKILL)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


def zombies(parent: int) -> list[int]:
    """Find dead children that this process has not waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, its_parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state == "Z" and int(its_parent) == parent:
            found.append(int(path.parent.name))
    return found


def test_start_says_what_a_newcomer_needs(service: Up) -> None:
    """Address, how to stop, where tokens and database are, and what to do next, on stdout."""
    lines = service.out.splitlines()
    assert lines[0] == f"moderation is up at {service.url}; Ctrl-C stops it"
    assert f"  tokens           {service.data_dir}/tokens.json" in lines
    assert any(line.startswith("  database         psql 'postgresql://") for line in lines)
    (hint,) = [line for line in lines if "your pictures" in line]
    assert f"moderation submit FOLDER --data-dir {service.data_dir} --save looked-at" in hint
