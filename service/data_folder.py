"""The data folder of `up`: one process owns it, and notes there where it can be found."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from service.errors import StartRefused

# While all is up: where the API answers, and where the database of its own is.
ADDRESS_FILE = "address"
DATABASE_FILE = "database"


def nearest(path: Path) -> Path:
    """Give the folder, or the one above it in which it would be made."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def make(path: Path) -> None:
    """Make the folder, for us alone; StartRefused if that cannot be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "up.lock").touch(0o600)
    except OSError as error:
        raise StartRefused(
            f"cannot use the data folder {path}: {error.strerror}; choose another with --data-dir"
        ) from error


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Keep others out of the data folder for as long as we run, however that ends."""
    # Our children do not inherit the descriptor (PEP 446): an orphan must not keep the lock.
    lock = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode().strip() or "?"
            raise StartRefused(
                f"{folder} is in use by process {holder}, another `moderation up`; "
                "stop that one, or choose another folder with --data-dir"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def noted(path: Path, text: str) -> Iterator[None]:
    """Keep a file with this text for as long as we run."""
    path.write_text(text, "utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
