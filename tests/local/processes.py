"""How the tests watch processes: who runs, who works, and what one says."""

import asyncio
import sys
import time
from pathlib import Path

DEADLINE_S = 60.0


def children(pid: int) -> list[int]:
    """List the pool children of a process, without the helper that tracks semaphores."""
    while True:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        try:
            return [
                int(child)
                for task in tasks
                for child in (task / "children").read_text().split()
                if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
            ]
        except (FileNotFoundError, ProcessLookupError):
            continue  # A thread or a child ended while they were read; who adopted is read again.


def running(pid: int) -> bool:
    """Say whether a process still runs; an orphan that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def ended(pid: int, *, within_s: float = DEADLINE_S) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + within_s
    while running(pid):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def in_flight(child: int) -> None:
    """Wait until the child works on something."""
    before = _ticks(child)
    deadline = time.monotonic() + DEADLINE_S
    while _ticks(child) < before + 5:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def _ticks(pid: int) -> int:
    """Return the processor time that a process has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


async def last_line(script: str) -> str:
    """Run a script and return the last line it wrote to either stream."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    return said.decode().strip().splitlines()[-1]
