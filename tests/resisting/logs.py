"""A worker whose log nobody reads: its main loop waits until somebody does."""

import asyncio
import fcntl
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.store.database import Database
from tests.flows import processes
from tests.up.driving import environment


class Stderr:
    """The pipe that a process logs to, as small as can be, and read only when it is told to."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, 4096)
        self._reader: threading.Thread | None = None
        self.lines = os.fdopen(self._read, "rb")

    def fill(self) -> None:
        """Leave no room for another line."""
        # A descriptor of its own: who shares one would no longer wait for room either.
        filler = os.open(f"/proc/self/fd/{self.write}", os.O_WRONLY | os.O_NONBLOCK)
        for size in (512, 1):
            try:
                while True:
                    os.write(filler, b" " * size)
            except BlockingIOError:
                pass
        os.close(filler)

    def drain(self) -> None:
        """Read all that comes from now on."""
        self._reader = threading.Thread(target=self.lines.read)
        self._reader.start()

    def close(self) -> None:
        os.close(self.write)
        if self._reader is not None:
            self._reader.join()
        self.lines.close()


@asynccontextmanager
async def worker(
    where: Database, upstream_url: str, **settings: object
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Stderr]]:
    """Run a worker with leases of two seconds whose log is read only until it works."""
    stderr = Stderr()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "work"),
        cwd=processes.ROOT,
        env=environment(
            database_url=where.dsn,
            upstream_url=upstream_url,
            upstream_key="secret-key",
            lease_s=2,
            second_look=0,
            **settings,
            data_dir=Path(os.devnull),
            log="json",
        ),
        stderr=stderr.write,
    )
    try:
        while b'"working"' not in await asyncio.to_thread(stderr.lines.readline):
            assert process.returncode is None
        yield process, stderr
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        stderr.close()
