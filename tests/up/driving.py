"""Runs the command line as a user does: as real processes, with nothing of ours in their way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

CHECKOUT = Path(__file__).parents[2]
START_S = 60.0
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended: exit code, and what it printed where."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """What was said on stderr beside the log and the progress bar."""
        return [line for line in self.err.splitlines() if line.startswith("moderation: ")]


def environment(**settings: object) -> dict[str, str]:
    """Everything but settings of whoever runs the tests, and small sizes for a small machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
    small = {"local_processes": 1, "concurrency": 4, "decoders": 1, "lease_s": 3, **settings}
    named = {f"MODERATION_{name.upper()}": str(value) for name, value in small.items()}
    return {**kept, "PYTHONPATH": str(CHECKOUT), **named}


def command(*arguments: object) -> list[str]:
    """Spell a command of ours."""
    return [sys.executable, "-m", "service", *map(str, arguments)]


def run(
    *arguments: object, cwd: Path | None = None, timeout_s: float = 90, **settings: object
) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def until(
    found: Callable[[], Found | None], what: str, timeout_s: float = START_S, poll_s: float = 0.05
) -> Found:
    """Ask until there is something; fails when the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(poll_s)
    raise AssertionError(f"no {what} within {timeout_s:.0f} s")


@dataclass(slots=True)
class Up:
    """A running `up`, or another command that runs until it is told to stop."""

    process: "subprocess.Popen[bytes]"
    data_dir: Path

    @classmethod
    def begin(
        cls,
        data_dir: Path,
        *arguments: object,
        prefix: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> "Up":
        """Start it, without waiting for anything."""
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        told = arguments or ("up", "--port", 0, "--workers", 1, "--data-dir", data_dir)
        with (
            data_dir.with_suffix(".out").open("wb") as out,
            data_dir.with_suffix(".err").open("wb") as err,
        ):
            process = subprocess.Popen(
                [*prefix, *command(*told)],
                cwd=data_dir.parent,
                env=env or environment(),
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return cls(process, data_dir)

    @classmethod
    def start(cls, data_dir: Path, *arguments: object, **how: Any) -> "Up":
        """Start it and wait until it says where it is."""
        one = cls.begin(data_dir, *arguments, **how)
        try:
            until(one._ready, f"address; it said {one.err}")
        except AssertionError:
            one.end(signal.SIGTERM)
            raise AssertionError(f"it did not start: {one.out}\n{one.err}") from None
        return one

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.err
        return (self.data_dir / "address").is_file() and "your pictures" in self.out

    @property
    def out(self) -> str:
        return self.data_dir.with_suffix(".out").read_text("utf-8")

    @property
    def err(self) -> str:
        return self.data_dir.with_suffix(".err").read_text("utf-8")

    @property
    def url(self) -> str:
        return (self.data_dir / "address").read_text("utf-8")

    @property
    def dsn(self) -> str:
        return (self.data_dir / "database").read_text("utf-8")

    def token(self, role: str = "platform") -> str:
        return str(json.loads((self.data_dir / "tokens.json").read_text("utf-8"))[role])

    def role(self, name: str) -> int | None:
        """Give the pid of the child with this role, if it is there and alive."""
        return next((pid for pid, words in family(self.process.pid).items() if name in words), None)

    def ask(self, path: str, *, data: bytes | None = None, role: str = "platform") -> Any:
        """Ask the API; gives the JSON that came back, of whatever status."""
        headers = {"Authorization": f"Bearer {self.token(role)}", "Content-Type": "image/png"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def query(self, statement: str, *arguments: object) -> list[Any]:
        """Ask the database."""
        return query(self.dsn, statement, *arguments)

    def end(self, number: int, timeout_s: float = 40) -> Ended:
        """Send a signal and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended(timeout_s)

    def ended(self, timeout_s: float = 40) -> Ended:
        """Wait for the end."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        return Ended(code, self.out, self.err)


def query(dsn: str, statement: str, *arguments: object) -> list[Any]:
    """Ask a database from a test that is not a coroutine."""

    async def asked() -> list[Any]:
        conn = await asyncpg.connect(dsn)
        try:
            return list(await conn.fetch(statement, *arguments))
        finally:
            await conn.close()

    return asyncio.run(asked())


def family(ancestor: int) -> dict[int, list[str]]:
    """Find all living descendants of a process, each with the words of its command line."""
    parents: dict[int, int] = {}
    words: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            line = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            parents[int(folder.name)] = int(parent)
            words[int(folder.name)] = line.decode("utf-8", "replace").split("\0")
    found: dict[int, list[str]] = {}
    fresh = {ancestor}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh}
        found |= {pid: words[pid] for pid in fresh}
    return found


def alive(pids: Sequence[int]) -> list[int]:
    """Tell which of these processes still live; a zombie does not."""
    living = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            living.append(pid)
    return living
