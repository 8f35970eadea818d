"""The folder of an embedded Postgres: what it holds, which process owns it, where its socket is."""

import fcntl
import hashlib
import os
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from service.embedded.account import Account
from service.errors import StartRefused

# sun_path of unix(7) without its final zero; shorter on macOS and the BSDs.
SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103

_LOG_BYTES = 16 * 1024 * 1024
_DEAD_OWNER_S = 5.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Layout:
    """The names inside the folder; nothing outside it is ours but ``outer_sockets``."""

    root: Path

    fresh_prefix: ClassVar[str] = "data.new-"

    @property
    def lock(self) -> Path:
        """Locked by the owner with flock(2); holds its pid."""
        return self.root / "owner.lock"

    @property
    def data(self) -> Path:
        """The database cluster, complete from the moment that it has this name."""
        return self.root / "data"

    @property
    def programs(self) -> Path:
        """A copy of the Postgres programs, when the server's account cannot read the original."""
        return self.root / "programs"

    @property
    def log(self) -> Path:
        """All that the server prints."""
        return self.root / "postgres.log"

    def unfinished(self) -> list[Path]:
        """Clusters whose making was interrupted."""
        return sorted(self.root.glob(f"{self.fresh_prefix}*"))

    def sockets(self, port: str) -> Path:
        """
        Pick the folder for the socket: our own, or a short private one if its path is too long.

        The short one is named by user and folder, so that every process finds the same.

        Raises:
            StartRefused: Even the short one is too long.

        """
        # Root's runtime folder is closed to the account that root's server may run as.
        runtime = os.environ.get("XDG_RUNTIME_DIR", "") if os.geteuid() else ""
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        short = f"moderation-{os.geteuid()}-{digest}"
        outer = [runtime] if runtime and Path(runtime).is_dir() else []
        outer.append(tempfile.gettempdir())
        for place in (self.root / "sockets", *(Path(base) / short for base in outer)):
            path = os.fsencode(place / f".s.PGSQL.{port}")
            # Server and clients split a list of socket folders at commas.
            if len(path) <= SOCKET_PATH_BYTES and not set(b',"') & set(path):
                return place
        raise StartRefused(
            f"no folder for the socket has a path of at most {SOCKET_PATH_BYTES} bytes"
            f" without comma: not {self.root}, not {', '.join(outer)}"
        )


def open_root(layout: Layout) -> None:
    """
    Make the folder, with mode 0700, or see that it is empty or one of ours.

    Raises:
        StartRefused: It holds what is not ours.

    """
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if layout.lock.exists():
        return
    # A freshly formatted volume is not empty.
    foreign = sorted({entry.name for entry in layout.root.iterdir()} - {"lost+found"})
    if foreign:
        raise StartRefused(
            f"{layout.root} holds {foreign[0]!r} and was not made by this service:"
            " give the embedded Postgres an empty folder"
        )


def claim(layout: Layout) -> int:
    """
    Own the folder until the returned descriptor is closed or this process ends.

    Raises:
        StartRefused: Another process owns it; the message names its pid.

    """
    # Programs that we start do not inherit the descriptor (PEP 446): they would keep the lock.
    lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _DEAD_OWNER_S
    while not _locked(lock):
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
        # A process forked by a killed owner may hold the lock a moment longer than the owner.
        if _alive(holder) or time.monotonic() > deadline:
            os.close(lock)
            raise StartRefused(
                f"the embedded Postgres in {layout.root} is in use by process {holder or '?'}"
            )
        time.sleep(_POLL_S)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def make_private(place: Path, account: Account, *, ours: bool) -> None:
    """
    Make a folder that only the server's account can enter, or see that it is one.

    One inside our folder (``ours``) is put right; one outside is never changed.

    Raises:
        StartRefused: One outside is not a folder, not the account's, or open to others.

    """
    try:
        place.mkdir(mode=0o700)
        ours = True
    except FileExistsError:
        fact = place.lstat()
    else:
        fact = place.lstat()
    right = stat.S_ISDIR(fact.st_mode) and stat.S_IMODE(fact.st_mode) == 0o700
    if right and fact.st_uid == account.uid:
        return
    if not ours:
        raise StartRefused(
            f"{place} must be a folder of uid {account.uid} with mode 0700,"
            f" not of uid {fact.st_uid} with mode {stat.S_IMODE(fact.st_mode):04o}"
        )
    place.chmod(0o700)
    if fact.st_uid != account.uid:
        os.chown(place, account.uid, account.gid)


def open_log(layout: Layout) -> int:
    """Open the log for appending; one that has grown past 16 MB makes room and is kept once."""
    if layout.log.exists() and layout.log.stat().st_size > _LOG_BYTES:
        layout.log.replace(layout.log.with_name(f"{layout.log.name}.1"))
    return os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def last_lines(layout: Layout, start: int, count: int = 6) -> str:
    """Quote the last lines of the log after byte ``start``, one a line."""
    with layout.log.open("rb") as log:
        log.seek(start)
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-count:])


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
