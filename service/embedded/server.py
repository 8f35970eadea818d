"""
An embedded Postgres: our own server for ``up`` and the tests, over the programs of a PyPI wheel.

Linux is tested.  Elsewhere the kernel does not end the server with its owner and there is no
``/proc``: an orphan runs on until the next start stops it.  That part is untested on macOS.
"""

import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

from service import log
from service.embedded.account import Account, Privileges, choose, environment
from service.embedded.cluster import Programs, open_cluster, open_programs
from service.embedded.folder import (
    Layout,
    claim,
    last_lines,
    make_private,
    open_log,
    open_root,
)
from service.embedded.leftovers import read_pid_file, settle
from service.errors import StartRefused

SETTINGS: Mapping[str, str] = {
    "jit": "off",
    "log_timezone": "UTC",
    "max_connections": "100",
    "port": "5432",  # Only names the socket, for there is no TCP.
    "shared_buffers": "128MB",
    "timezone": "UTC",
}

_POLL_S = 0.02
_KILL_S = 0.2
_FAST_S, _IMMEDIATE_S = 30.0, 10.0

_log = log.get()


class EmbeddedPostgres:
    """
    One server in one folder, owned by one process; the constructor opens nothing.

    The folder is ours alone.  The server listens on a Unix socket that only its account can reach
    and ends with this process, however that ends.  ``settings`` are server parameters over
    ``SETTINGS``.  ``privileges`` says how root's server becomes another account.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
        privileges: Privileges = "auto",
    ) -> None:
        self._layout = Layout(folder.resolve())
        self._binaries = binaries
        self._settings = {**SETTINGS, **(settings or {})}
        self._privileges: Privileges = privileges
        self._sockets: Path | None = None
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's first process, while it is started."""
        return self._server.pid if self._server else None

    def dsn(self, database: str, user: str) -> str:
        """
        Spell the address for asyncpg and psql.

        The port is named because both take a missing one from the environment (``PGPORT``).
        """
        port = self._settings["port"]
        host = self._sockets or self._layout.sockets(port)
        query = urlencode({"host": str(host), "port": port}, quote_via=quote)
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{query}"

    def start(self, timeout_s: float = 60.0) -> None:
        """
        Start the server and wait until it takes connections; does nothing while it runs.

        Makes the cluster on the first start, and repairs what a killed owner or server left.

        Raises:
            StartRefused: It cannot run here, another process owns it, or it was not ready in time.

        """
        if self._runs():
            return
        began = time.monotonic()
        with ExitStack() as undo:
            undo.callback(self.stop)
            try:
                self._start(began + timeout_s)
            except OSError as error:
                raise StartRefused(
                    f"the embedded Postgres in {self._layout.root} cannot start: {error}"
                ) from error
            undo.pop_all()
        seconds = round(time.monotonic() - began, 3)
        _log.info("postgres_started", pid=self.pid, folder=str(self._layout.root), took_s=seconds)

    def stop(self) -> None:
        """Stop the server and give the folder up: fast, then without a checkpoint; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            _end(server)
        lock, self._lock = self._lock, None
        if lock is not None:
            self._leave_sockets()
            os.ftruncate(lock, 0)
            os.close(lock)

    def poll(self) -> int | None:
        """Tell the exit status of a server that ended by itself, else None; ``start`` it again."""
        return self._server.poll() if self._server else None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, whatever happened."""
        self.stop()

    def _runs(self) -> bool:
        if self._server is None:
            return False
        try:
            # A kill takes effect a moment after it was sent.
            self._server.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _start(self, deadline: float) -> None:
        layout, port = self._layout, self._settings["port"]
        account = choose(self._privileges)
        sockets = layout.sockets(port)
        open_root(layout)
        if self._lock is None:
            self._lock = claim(layout)
        self._server = None
        _check_reach(layout, account)
        settle(layout.data, [layout.data, *layout.unfinished()])
        programs = open_programs(layout, account, self._binaries)
        durable = self._settings.get("fsync") != "off"
        open_cluster(layout, account, programs, durable=durable, deadline=deadline)
        make_private(sockets, account, ours=sockets.parent == layout.root)
        self._sockets = sockets
        for stale in (f".s.PGSQL.{port}", f".s.PGSQL.{port}.lock"):
            (sockets / stale).unlink(missing_ok=True)
        self._launch(account, programs, sockets, deadline)

    def _launch(self, account: Account, programs: Programs, sockets: Path, deadline: float) -> None:
        ours = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
        }
        options = [f"{name}={value}" for name, value in (self._settings | ours).items()]
        program = [str(programs.folder / "postgres"), "-D", str(self._layout.data)]
        program += [word for option in options for word in ("-c", option)]
        output = open_log(self._layout)
        try:
            said_before = os.fstat(output).st_size
            self._server = _spawn(account.command(program, signal.SIGINT), output)
        finally:
            os.close(output)
        self._wait_until_ready(self._server, said_before, deadline)

    def _wait_until_ready(
        self, server: subprocess.Popen[bytes], said_before: int, deadline: float
    ) -> None:
        # The pid is compared because the file of another server would say ready just as well.
        while read_pid_file(self._layout.data) != (server.pid, "ready"):
            status = server.poll()
            if status is not None or time.monotonic() > deadline:
                what = "was not ready in time" if status is None else f"ended with {status}"
                said = last_lines(self._layout, said_before)
                raise StartRefused(f"Postgres in {self._layout.root} {what}; it said:\n{said}")
            time.sleep(_POLL_S)

    def _leave_sockets(self) -> None:
        sockets, self._sockets = self._sockets, None
        if sockets is not None and sockets.parent != self._layout.root:
            # Somebody may have put a file of theirs there; then it stays.
            with suppress(OSError):
                sockets.rmdir()


def _check_reach(layout: Layout, account: Account) -> None:
    """Refuse a folder that the server's account cannot get to; only our own folder is opened up."""
    if account.drops:
        layout.root.chmod(stat.S_IMODE(layout.root.stat().st_mode) | 0o011)
    closed = account.first_closed(layout.root) if account.drops or account.prefix else None
    if closed is not None:
        raise StartRefused(
            f"{closed} is closed to the account that runs Postgres (uid {account.uid}), which"
            f" needs to reach {layout.root}: choose another folder or start as another user"
        )


def _end(
    server: subprocess.Popen[bytes], fast_s: float = _FAST_S, immediate_s: float = _IMMEDIATE_S
) -> None:
    for how, patience_s in ((signal.SIGINT, fast_s), (signal.SIGQUIT, immediate_s)):
        server.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            server.wait(patience_s)
            return
    server.kill()
    server.wait()


def _spawn(command: list[str], output: int) -> subprocess.Popen[bytes]:
    """
    Start the server from a thread of its own that lives until the server has ended.

    The kernel's "parent", whose death ends the server, is the thread that started it, not the
    process: a server started from a pool thread would end with that thread.  Source: prctl(2).
    The thread also takes the exit status at once, so that no zombie keeps the pid.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def keep() -> None:
        try:
            server = subprocess.Popen(
                command,
                cwd="/",
                env=environment(),
                start_new_session=True,
                stderr=output,
                stdin=subprocess.DEVNULL,
                stdout=output,
            )
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(server)
        server.wait()

    threading.Thread(target=keep, name="embedded-postgres", daemon=True).start()
    return started.result()
