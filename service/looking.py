"""
The detectors' second look: at what came in, and at what is about to be published.

They decode without limits, and may: both pictures are files that our own child has just encoded.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from service import log
from service.errors import ServiceError
from service.local import Look, Seen, Sighting
from service.local.pool import DetectorPool, PoolUnavailable

WARM_S = 60.0  # to load the models, or to load them again after a child has died
PATIENCE_S = 180.0  # a picture takes up to 3 s, and those of all calls in flight queue for it


@dataclass(frozen=True, slots=True)
class Looked:
    """
    What was seen.

    ``state`` is ``off`` where there are no detectors and ``failed`` where they gave no answer;
    ``text_to_model`` is text of the original that addresses the model or the reviewer, with the
    personal data in it masked; ``sightings`` are of the final picture, in its pixels.
    """

    state: Literal["off", "looked", "failed"]
    text_to_model: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()


class Detectors:
    """The detectors of a worker, or none; the pool is started and stopped by who made it."""

    def __init__(self, pool: DetectorPool | None = None) -> None:
        self._pool = pool

    async def look(self, original: bytes, final: bytes | None) -> Looked:
        """
        Read the original, and look for everything in the final picture if one is given.

        It never fails: what was paid for must not be lost with a detector.
        """
        if self._pool is None:
            return Looked("off")
        try:
            async with asyncio.timeout(PATIENCE_S):
                read = await _seen(self._pool, Look(original, text=True, things=False))
                if final is None:
                    return Looked("looked", read.text_to_model)
                seen = await _seen(self._pool, Look(final, text=False, things=True))
        except (ServiceError, TimeoutError) as error:
            log.get().warning("second_look_failed", reason=str(error) or "out of time")
            return Looked("failed")
        return Looked("looked", read.text_to_model, seen.sightings)


async def _seen(pool: DetectorPool, look: Look) -> Seen:
    """Look, and once more if a child died, which may have been of another picture."""
    await pool.ready(WARM_S)
    try:
        return await pool.look(look)
    except PoolUnavailable:
        await pool.ready(WARM_S)
        return await pool.look(look)


BLIND = Detectors()


@asynccontextmanager
async def opened(processes: int) -> AsyncIterator[Detectors]:
    """Load detectors in the background, in so many processes; stop them at the end."""
    if not processes:
        yield BLIND
        return
    pool = DetectorPool(processes)
    pool.start()
    try:
        yield Detectors(pool)
    finally:
        await pool.stop()
