"""The pool of decode children: pictures queue for a free child, and no file can hurt the parent."""

import asyncio
from collections.abc import Sequence

from service import log
from service.errors import LocalFault, Unreadable
from service.pictures import wire
from service.pictures.process import DecoderProcess, Died
from service.pictures.wire import MAX_PAYLOAD, Answer, Asked, Finished, Picture, Place

__all__ = ["Decoders", "Finished", "Picture", "Place"]

DEADLINE_S = 30.0

_log = log.get(__name__)


class Decoders:
    """
    ``processes`` children that decode one picture each at a time; it opens nothing before start.

    A child that dies is replaced and its picture tried again.  Each of two reasons is forgiven
    once: a death by the picture (see ``Died``), then a second one makes it Unreadable; and a death
    by this machine (killed by somebody, or no answer by the deadline although the child's own CPU
    limit is lower), then a second one is a LocalFault, which says nothing about the picture.
    """

    def __init__(self, processes: int, *, deadline_s: float = DEADLINE_S) -> None:
        if processes < 1:
            raise ValueError(f"{processes} decode processes, not at least 1")
        self._processes = processes
        self._deadline_s = deadline_s
        self._running = False
        self._children: set[DecoderProcess] = set()
        self._ending: set[asyncio.Task[None]] = set()
        # One slot for each picture under way: an idle child, or None where one must be started.
        self._slots: asyncio.LifoQueue[DecoderProcess | None] = asyncio.LifoQueue()

    async def start(self) -> None:
        """Start the children and wait until they are ready; once.  Raises LocalFault."""
        self._running = True
        for _ in range(self._processes):
            self._slots.put_nowait(None)
        warm = [self._warm() for _ in range(self._processes)]
        for result in await asyncio.gather(*warm, return_exceptions=True):
            if isinstance(result, BaseException):
                await self.stop()
                raise result

    async def stop(self) -> None:
        """End every child for good; pictures under way or queued end as LocalFault."""
        if not self._running:
            return
        self._running = False
        for child in list(self._children):
            self._retire(child)
        # Who held a slot or queued for one gives it back, so all of them mean that nobody is left.
        for _ in range(self._processes):
            await self._slots.get()
        await asyncio.gather(*self._ending)

    async def canonical(self, data: bytes, *, thumbnail_side: int | None = None) -> Picture:
        """
        Decode a received file in a child; ``service.pictures.canonical`` says into what.

        Raises:
            Unreadable: The file cannot be decoded, or two children died of it.
            LocalFault: The pool is stopped, no child could be started, or two were killed.
        """
        return await self._answer(wire.ask_canonical(data, thumbnail_side))

    async def finish(
        self,
        original: bytes,
        edited: bytes,
        regions: Sequence[Place],
        *,
        confined: bool,
        thumbnail_side: int,
    ) -> Finished:
        """
        Prove an edit and make its final picture; ``service.pictures.finishing`` says how.

        Args:
            original: The canonical picture's file.
            edited: The file that the upstream gave.
            regions: Of each finding; see ``wire.Place``.

        Raises:
            Unreadable: The edited file cannot be decoded, or two children died of it.
            LocalFault: As ``canonical``.
        """
        asked = wire.ask_finished(
            original, edited, regions, confined=confined, thumbnail_side=thumbnail_side
        )
        return await self._answer(asked)

    async def _answer(self, asked: Asked[Answer]) -> Answer:
        size = sum(map(len, asked.payloads))
        if max(map(len, asked.payloads)) > MAX_PAYLOAD:
            raise Unreadable(f"the file has {size} bytes; {MAX_PAYLOAD} are allowed")
        deaths: set[bool] = set()
        while True:
            try:
                return await self._once(asked)
            except Died as death:
                _log.warning("decoder_died", reason=str(death), picture_bytes=size)
                if not self._running:
                    raise LocalFault("the decoders were stopped") from death
                if death.by_picture not in deaths:
                    deaths.add(death.by_picture)
                elif death.by_picture:
                    raise Unreadable(f"two decoders died of it; {death}") from death
                else:
                    raise LocalFault(f"two decoders ended from outside; {death}") from death

    async def _once(self, asked: Asked[Answer]) -> Answer:
        child = await self._take()
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await child.ask(asked)
        except Unreadable:
            self._slots.put_nowait(child)
            raise
        except BaseException as error:
            # Also a cancelled caller leaves half a message behind, so the child cannot go on.
            self._retire(child)
            self._slots.put_nowait(None)
            if isinstance(error, TimeoutError):
                raise Died(f"no answer after {self._deadline_s} s", by_picture=False) from error
            raise
        self._slots.put_nowait(child)
        return answer

    async def _warm(self) -> None:
        self._slots.put_nowait(await self._take())

    async def _take(self) -> DecoderProcess:
        """Wait for a slot and give its child; who takes one puts it, or None, back."""
        if not self._running:
            raise LocalFault("the decoders are not running")
        idle = await self._slots.get()
        try:
            return await self._usable(idle)
        except BaseException:
            self._slots.put_nowait(None)
            raise

    async def _usable(self, child: DecoderProcess | None) -> DecoderProcess:
        """Give this child, or a fresh one if it has ended or is used up."""
        if self._running and (child is None or not child.usable):
            if child is not None:
                self._retire(child)
            child = await DecoderProcess.start()
            self._children.add(child)
        # The pool may have been stopped while we waited.
        if child is None or not self._running:
            if child is not None:
                self._retire(child)
            raise LocalFault("the decoders were stopped")
        return child

    def _retire(self, child: DecoderProcess) -> None:
        """End a child in the background; ``stop`` waits for it."""
        if child not in self._children:
            return
        self._children.remove(child)
        child.kill()
        task = asyncio.create_task(child.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
