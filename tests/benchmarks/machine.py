"""What the kernel tells of processes: CPU, memory, descriptors; see proc(5)."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version, system
from typing import Final

_TICKS_S: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int, *, reaped: bool = False) -> float:
    """Read the CPU time of a process, or with the children it has seen end."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if reaped else 13]) / _TICKS_S


def children(pid: int) -> list[int]:
    """List the children that a process has now, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end while its process is looked at; its children are another's then.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (task / "children").read_text().split())
    return found


def family_cpu_s(pid: int) -> float:
    """Read the CPU time of a process with all its children, those that have ended too."""
    total = cpu_s(pid, reaped=True)
    for child in children(pid):
        # One that ends just now counts as reaped the next time.
        with suppress(FileNotFoundError, ProcessLookupError):
            total += cpu_s(child, reaped=True)
    return total


def highest_mb(pid: int) -> float:
    """Read the highest resident size, in MB (10^6 bytes)."""
    return _status_mb(pid, "VmHWM")


def resident_mb(pid: int) -> float:
    """Read the resident size, in MB (10^6 bytes)."""
    return _status_mb(pid, "VmRSS")


def descriptors(pid: int) -> int:
    """Count the open descriptors."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _status_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"process {pid} tells no {name}")


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the machine was when a benchmark began."""

    before: float

    @classmethod
    def now(cls) -> "Load":
        """Read it."""
        return cls(os.getloadavg()[0])

    def facts(self, *packages: str) -> Mapping[str, object]:
        """Say where the figures are from, and the load before and after."""
        return {
            "cores": os.cpu_count(),
            "python": python_version(),
            "system": f"{system()} {machine()}",
            **{name: version(name) for name in packages},
            "load": f"{self.before:.1f} before, {os.getloadavg()[0]:.1f} after",
        }
