"""What a killed owner or a killed server leaves behind: processes, pid files, socket locks."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from service.errors import StartRefused

_PROC = Path("/proc")
_POLL_S = 0.02

# A fast shutdown writes a checkpoint; after an immediate one the next start replays the log.
_PATIENCE_S = (15.0, 6.0, 5.0)


def read_pid_file(data: Path) -> tuple[int | None, str]:
    """
    Read who serves a data folder and how far it is: pid and a word such as ``ready``.

    Source: lines 1 and 8 of ``postmaster.pid``, src/include/utils/pidfile.h of PostgreSQL.
    """
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None, ""
    pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
    return pid, lines[7].strip() if len(lines) > 7 else ""


def settle(
    data: Path, works: Sequence[Path], patience_s: tuple[float, float, float] = _PATIENCE_S
) -> None:
    """
    End every server process that still works in ``works``, and remove the stale pid file.

    Call only while holding the owner lock.  Removing the pid file of a server whose other processes
    still write would let a new server damage the data, hence the order.  ``patience_s`` is for a
    fast shutdown, an immediate one, and a kill.

    Raises:
        StartRefused: A process of it does not end.

    """
    postmaster, _ = read_pid_file(data)
    for stop, wait_s in zip((signal.SIGINT, signal.SIGQUIT), patience_s, strict=False):
        # Only the first process knows how to stop the others; alone, they end by themselves.
        if postmaster in serving(works):
            _send(postmaster, stop)
        if _gone(works, wait_s):
            break
    else:
        for pid in serving(works):
            _send(pid, signal.SIGKILL)
        if not _gone(works, patience_s[2]):
            raise StartRefused(f"{data} is still served by processes {serving(works)}")
    _reap()
    (data / "postmaster.pid").unlink(missing_ok=True)


def serving(works: Sequence[Path]) -> list[int]:
    """
    Find the processes of a Postgres server whose working folder is one of ``works``; no zombies.

    Without ``/proc`` (macOS; untested there) only the first process of a server is found.
    """
    return list(_in_proc(works) if _PROC.joinpath("self").exists() else in_process_list(works))


def in_process_list(works: Sequence[Path]) -> Iterator[int]:
    """Find the first processes of servers by their command line, as POSIX ``ps`` prints it."""
    listed = subprocess.run(
        ["/bin/ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, check=True, text=True
    )
    for line in listed.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if any(f"postgres -D {work} -" in command for work in works):
            yield int(pid)


def _in_proc(works: Sequence[Path]) -> Iterator[int]:
    # Device and inode, for another container may have another folder under the same path.
    wanted = {(fact.st_dev, fact.st_ino) for work in works if (fact := _stat(work))}
    for entry in _PROC.iterdir():
        fact = _stat(entry / "cwd") if entry.name.isdigit() else None
        if fact and (fact.st_dev, fact.st_ino) in wanted and _name(entry) == "postgres":
            yield int(entry.name)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None  # It is gone, a zombie, or a process of another user: no server of ours.


def _name(entry: Path) -> str:
    try:
        return entry.joinpath("comm").read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # It ended since it was listed.


def _send(pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return  # It ended by itself, which is what the signal is for.


def _gone(works: Sequence[Path], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while serving(works):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _reap() -> None:
    """
    Take the exit status of server processes that became our children when their parent was killed.

    That happens to process 1 of a container; left alone they would fill its process table.
    """
    if os.getpid() != 1:
        return
    for entry in _PROC.glob("[0-9]*"):
        if _is_orphan(entry):
            try:
                os.waitpid(int(entry.name), os.WNOHANG)
            except ChildProcessError:
                continue  # Somebody else of our process took it first.


def _is_orphan(entry: Path) -> bool:
    # Source: proc_pid_stat(5): pid, name in brackets, state, parent.
    try:
        head, _, tail = entry.joinpath("stat").read_text(errors="replace").rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return head.endswith("(postgres") and tail.split()[:2] == ["Z", str(os.getpid())]
