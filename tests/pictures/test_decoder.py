"""What the decode child does: its protocol in this process, its limits in a real child."""

import io
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from service.pictures import child, wire
from service.pictures.wire import Garbled
from tests.pictures import samples

ROOT = Path(child.__file__).parents[2]

# Each line is tried in a process that has given up its rights; it tells what stopped it.
TRIES = {
    "file to read": "open('/etc/hostname')",
    "file to write": "open('/tmp/decoder-test', 'w')",
    "network socket": "socket.socket()",
    "socket pair": "socket.socketpair()",
    "copy of a descriptor": "os.dup(1)",
    "pipe": "os.pipe()",
    "memory": "bytearray(2 << 30)",
    "more descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)) or open('/etc/passwd')",
}
PROBE = """
import json, os, resource, socket, sys
from service.pictures import child
child.give_up_rights()
found = {}
for name, line in json.loads(sys.argv[1]).items():
    try:
        eval(line)
    except (OSError, MemoryError, ValueError) as error:
        found[name] = type(error).__name__
    else:
        found[name] = "allowed"
print(json.dumps(found))
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env={}, capture_output=True, check=False, timeout=60)


def answers(file: io.BytesIO) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Split what a child wrote into heads and payloads."""
    file.seek(0)
    found = []
    while prefix := file.read(wire.LENGTH_BYTES):
        head, lengths = wire.read_head(file.read(wire.head_length(prefix)))
        found.append((head, [file.read(length) for length in lengths]))
    return found


def request(data: bytes, thumbnail_side: int | None) -> bytes:
    return wire.frame({"thumbnail_side": thumbnail_side}, [data]) + data


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux keeps every one of the limits.")
def test_a_limited_process_can_open_nothing() -> None:
    """After it gave up its rights a process opens no file, no socket and not 2 GB of memory."""
    tries = dict(TRIES)
    # Root may raise a hard limit again; the service's own account may not.
    if run("import os; raise SystemExit(os.geteuid() == 0)").returncode == 1:
        del tries["more descriptors"]
    done = run(PROBE, json.dumps(tries))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == set(tries)
    assert found.pop("memory") == "MemoryError"
    assert set(found.values()) <= {"OSError", "ValueError", "PermissionError"}


def test_a_picture_has_a_bounded_cpu_time() -> None:
    """A process that goes on computing is ended by SIGXCPU."""
    done = run("from service.pictures import child\nchild.allow_cpu(0)\nwhile True: pass")
    assert done.returncode == -signal.SIGXCPU


def test_requests_are_answered_in_turn() -> None:
    """A picture, a bad file and a picture with thumbnail give three answers after ``ready``."""
    good = samples.encoded(samples.gradient("RGB", (60, 40)), "PNG")
    requests = io.BytesIO(request(good, None) + request(good[:60], 16) + request(good, 16))
    written = io.BytesIO()
    before = resource.getrlimit(resource.RLIMIT_CPU)
    try:
        child.serve(requests, written)
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, before)
    ready, first, bad, last = answers(written)
    assert ready == ({"ready": True}, [])
    assert wire.picture(*first, thumbnail=False).width == 60
    assert list(bad[0]) == ["unreadable"]
    picture = wire.picture(*last, thumbnail=True)
    assert picture.thumbnail is not None
    assert max(Image.open(io.BytesIO(picture.thumbnail)).size) == 16


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"payloads": 3}',
        b'{"payloads": [1, 2, 3, 4, 5]}',
        b'{"payloads": [-1]}',
        b'{"payloads": [true]}',
        b'{"payloads": [64000001]}',
        b"[" * 4_000,
    ],
)
def test_a_garbled_head_is_refused(document: bytes) -> None:
    """A head that is not as the protocol says raises Garbled and nothing else."""
    with pytest.raises(Garbled):
        wire.read_head(document)


@pytest.mark.parametrize("prefix", [b"\0\0\1", b"\xff\xff\xff\xff", b"\0\0\x10\1"])
def test_a_garbled_length_is_refused(prefix: bytes) -> None:
    """A head longer than 4,096 bytes is not waited for."""
    with pytest.raises(Garbled):
        wire.head_length(prefix)


@pytest.mark.parametrize(
    ("head", "payloads"),
    [
        ({"mime": "text/html", "width": 1, "height": 1, "frames": 1}, [b"x"]),
        ({"mime": "image/png", "width": 0, "height": 1, "frames": 1}, [b"x"]),
        ({"mime": "image/png", "width": "1", "height": 1, "frames": 1}, [b"x"]),
        ({"mime": "image/png", "width": 4_097, "height": 1, "frames": 1}, [b"x"]),
        ({"mime": ["image/png"], "width": 1, "height": 1, "frames": 1}, [b"x"]),
        ({"mime": "image/png", "width": 1, "height": 1, "frames": 1}, []),
        ({"mime": "image/png", "width": 1, "height": 1, "frames": 1}, [b""]),
        ({"mime": "image/png", "width": 1, "height": 1, "frames": 1}, [b"x", b"y"]),
        ({"mime": "image/png", "width": 1, "height": 1}, [b"x"]),
        ({"mime": "image/png", "width": 1, "height": 1, "frames": 0}, [b"x"]),
        ({"mime": "image/png", "width": 1, "height": 1, "frames": 17}, [b"x"]),
    ],
)
def test_a_garbled_picture_is_refused(head: dict[str, Any], payloads: list[bytes]) -> None:
    """A child that a file has taken over cannot hand over another type or half a picture."""
    with pytest.raises(Garbled):
        wire.picture(head, payloads, thumbnail=False)
