"""A Postgres of this suite's own, which may be killed and whose disk may be filled."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import preparing, up
from service.embedded.server import EmbeddedPostgres
from tests.faults.running import HEAD
from tests.faults.stage import Ground

DISK_MB, DATA_MB = 600, 4
# What a crash of a process leaves is in the kernel's hands: nothing needs to be synced for it.
SETTINGS = {
    "fsync": "off",
    "max_connections": "200",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "shared_buffers": "32MB",
}
_ROWS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """As root, database and data stand on small disks of their own."""
    small = os.geteuid() == 0
    with contextlib.ExitStack() as stack:
        disk, data = (
            stack.enter_context(_disk(tmp_path_factory.mktemp(name), size, small=small))
            for name, size in (("disk", DISK_MB), ("data", DATA_MB))
        )
        with EmbeddedPostgres(disk / "postgres", settings=SETTINGS) as server:
            asyncio.run(_prepare(server))
            yield Ground(server, disk, data, small=small)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[str]:
    """Keep what the runs report until all have ended."""
    return request.config.stash.setdefault(_ROWS, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table of all runs."""
    if rows := config.stash.get(_ROWS, []):
        for line in ("", HEAD, *rows):
            terminalreporter.write_line(line)


async def _prepare(server: EmbeddedPostgres) -> None:
    await preparing.prepare(await up.bootstrap(server))


@contextlib.contextmanager
def _disk(folder: Path, size_mb: int, *, small: bool) -> Iterator[Path]:
    """Mount a disk of this size on a folder."""
    if not small:
        yield folder
        return
    mount, umount = shutil.which("mount"), shutil.which("umount")
    assert mount is not None
    assert umount is not None
    size = f"size={size_mb}m,mode=0711"
    subprocess.run([mount, "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", folder], check=True)
