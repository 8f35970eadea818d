"""Where a worker and its children spend their CPU, by py-spy: the share of each function."""

import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks import bars

SAMPLES_PER_S: Final = 200
SHOWN: Final = 40
_LONGEST_S: Final = 600
_PROCESS: Final = re.compile(r'process \d+:"(.*)"')
# py-spy takes threads that wait for a pipe, a lock or a child for running ones now and then.
_WAITING: Final = re.compile(
    r"(_worker|\w+\._do_waitpid|EpollSelector\.select|serve|serve\.<locals>\.<listcomp>) \("
)


@dataclass(slots=True)
class Shares:
    """Samples of one kind of process: in a function itself, and in it or what it calls."""

    own: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Profile:
    """What was sampled, by kind of process; empty until the end of its block."""

    kinds: dict[str, Shares] = field(default_factory=dict)

    def markdown(self, title: str) -> str:
        """Show the functions of each kind of process, the costliest first."""
        parts = [f"## {title}"]
        for name, shares in sorted(self.kinds.items(), reverse=True):
            total = shares.own.total()
            rows = [
                {
                    "self, %": 100 * samples / total,
                    "with what it calls, %": 100 * shares.all[function] / total,
                    "function": f"`{function}`",
                }
                for function, samples in shares.own.most_common(SHOWN)
            ]
            seconds = f"{total / SAMPLES_PER_S:.1f} s of running threads"
            parts.append(f"### {name}: {seconds}\n\n{bars.table(rows)}")
        return "\n\n".join(parts)


@contextmanager
def profiled(pid: int) -> Iterator[Profile]:
    """Sample a process and its children until the block ends; the value is filled then."""
    found = Profile()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid)]
        command += ["--subprocesses", "--function", "--format", "raw", "--output", str(file)]
        command += ["--rate", str(SAMPLES_PER_S), "--duration", str(_LONGEST_S)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as spy:
            try:
                yield found
            finally:
                spy.send_signal(signal.SIGINT)
                told, _ = spy.communicate()
        assert file.exists(), f"py-spy could not look at {pid}: {told.decode()[-500:]}"
        _read(file.read_text("utf-8"), found)


def _read(stacks: str, into: Profile) -> None:
    """Count lines of `frame;frame;... samples`, whose first frames name the processes."""
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        if _WAITING.match(frames[-1]):
            continue
        commands = [match[1] for frame in frames if (match := _PROCESS.fullmatch(frame))]
        kind = "decoders" if "service.pictures.child" in commands[-1] else "worker"
        shares = into.kinds.setdefault(kind, Shares())
        shares.own[frames[-1]] += int(samples)
        for frame in set(frames):
            shares.all[frame] += int(samples)
