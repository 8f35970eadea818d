"""One decode child as its parent sees it: start it, ask it, tell how it died, end it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.errors import LocalFault, Unreadable
from service.pictures import wire
from service.pictures.wire import Answer, Asked, Garbled

START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 5.0
_ROOT = str(Path(__file__).resolve().parents[2])  # where the child finds this package
_BUFFER = 1 << 20  # bytes; a pipe hands over 64 kB at a time
_BY_SOMEBODY = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_OWN_VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}  # each of its threads would reserve memory
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PYTHONHOME")  # some interpreters do not start without


class Died(Exception):
    """
    The child ended, or lost the thread, before it had answered.

    ``by_picture`` is False if somebody killed it (SIGKILL, SIGTERM, SIGINT, SIGHUP: nothing in a
    decoder sends these to itself, the kernel short of memory and operators do) and True otherwise:
    SIGXCPU, SIGSEGV, SIGABRT, SIGBUS, an exit of its own, memory over its limit, a garbled answer.
    """

    def __init__(self, message: str, *, by_picture: bool) -> None:
        super().__init__(message)
        self.by_picture = by_picture


class DecoderProcess:
    """A started child; it answers one picture at a time and keeps no state between them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked = 0

    @classmethod
    async def start(cls) -> "DecoderProcess":
        """
        Start a child and wait until it has limited itself.

        Raises:
            LocalFault: It could not be started (descriptors, memory, processes, installation).
        """
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-s", "-m", "service.pictures.child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**environment, **_OWN_VARIABLES, "PYTHONPATH": _ROOT},
                start_new_session=True,
                limit=_BUFFER,
            )
        except OSError as error:
            raise LocalFault(f"no decode child could be started: {error}") from error
        child = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await child._receive()
        except (asyncio.IncompleteReadError, Garbled, TimeoutError) as error:
            await child.end()
            raise LocalFault(
                f"the decode child did not get ready, exit status {process.returncode}"
            ) from error
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can take another picture."""
        return self._process.returncode is None and self._asked < wire.PICTURES_PER_CHILD

    async def ask(self, asked: Asked[Answer]) -> Answer:
        """
        Ask for one thing; after anything but an answer or Unreadable the child must be ended.

        Raises:
            Unreadable: The file cannot be decoded.
            Died: There was no answer.
        """
        self._asked += 1
        try:
            head, payloads = await self._exchange(asked.head, asked.payloads)
            if isinstance(head.get("unreadable"), str):
                raise Unreadable(head["unreadable"][:200])
            if "out_of_memory" in head:
                raise Died("it ran out of its memory", by_picture=True)
            return asked.read(head, payloads)
        except Garbled as error:
            raise Died(f"it answered {error}", by_picture=True) from error
        except (asyncio.IncompleteReadError, OSError) as error:
            # Its own end tells why; killing it now could hide that.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_TIMEOUT_S):
                    await self._reap()
            raise self._death() from error

    async def _exchange(
        self, head: dict[str, object], payloads: Sequence[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        requests, _ = self._pipes()
        # One write: each wakes the child once, and the loop again for what the socket did not take.
        requests.write(b"".join((wire.frame(head, payloads), *payloads)))
        await requests.drain()
        return await self._receive()

    async def _receive(self) -> tuple[dict[str, Any], list[bytes]]:
        _, answers = self._pipes()
        length = wire.head_length(await answers.readexactly(wire.LENGTH_BYTES))
        head, lengths = wire.read_head(await answers.readexactly(length))
        return head, [await answers.readexactly(length) for length in lengths]

    def _death(self) -> Died:
        status = self._process.returncode
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            return Died(f"it was ended by {name}", by_picture=-status not in _BY_SOMEBODY)
        return Died(f"it exited with status {status}", by_picture=True)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        # Process.kill polls, and a child reaped by that poll is lost to asyncio's own waiting.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and wait until it and its pipes are gone; it may have ended before."""
        self.kill()
        await self._reap()

    async def _reap(self) -> None:
        requests, answers = self._pipes()
        requests.close()
        # The pipe closes only after what is left in it has been read.
        while await answers.read(_BUFFER):
            pass
        await self._process.wait()

    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self._process.stdin is None or self._process.stdout is None:
            raise LocalFault("the decode child was started without pipes")
        return self._process.stdin, self._process.stdout
