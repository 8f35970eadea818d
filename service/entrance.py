"""Where attempts of one process wait for room at an upstream, first come, first served."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from service import entering
from service.edits import Upstream
from service.limiting import Denied
from service.store import Pool, attempts, uploads

# Who must wait longer than this gives the upload back instead of holding it.
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """One waits for room and asks; the others wait for the lock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    freed: asyncio.Event = field(default_factory=asyncio.Event)


class Entrance:
    """Lets attempts in; once closed, none that would begin a call."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turns: dict[str, _Turn] = {}
        self._closed = False

    async def enter(
        self, claim: uploads.Claim, upstream: Upstream, attempt: attempts.Attempt
    ) -> Denied | None:
        """
        Enter the attempt, waiting while the upstream is busy for a short time.

        Returns:
            None once it is entered, else why it was not; see ``entering.enter``.
        """
        turn = self._turns.setdefault(upstream.name, _Turn())
        if not turn.lock.locked():
            denied = await self._ask(claim, upstream, attempt)
            if not _worth_waiting(denied):
                return denied
        async with turn.lock:
            while True:
                turn.freed.clear()
                denied = await self._ask(claim, upstream, attempt)
                if denied is None or not _worth_waiting(denied):
                    return denied
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(turn.freed.wait(), denied.wait_s)

    def leave(self, upstream: Upstream) -> None:
        """Tell whoever waits that a call to the upstream has ended."""
        if upstream.name in self._turns:
            self._turns[upstream.name].freed.set()

    def close(self) -> None:
        """Let nobody in any more, and let go of those who wait."""
        self._closed = True
        for turn in self._turns.values():
            turn.freed.set()

    async def _ask(
        self, claim: uploads.Claim, upstream: Upstream, attempt: attempts.Attempt
    ) -> Denied | None:
        if self._closed:
            return Denied("closed", 0)
        async with self._pool.acquire() as conn:
            return await entering.enter(conn, claim, upstream, attempt)


def _worth_waiting(denied: Denied | None) -> bool:
    return denied is not None and denied.reason == "busy" and denied.wait_s <= PATIENCE_S
