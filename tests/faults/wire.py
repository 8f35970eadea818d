"""Faults on the wire: connections to the database, to the upstream and to receivers."""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

from tests.faults.proxy import Chaos
from tests.faults.stage import Stage
from tests.flows import driving

# For so long a fault waits for somebody who meets it.
PATIENCE_S = 3.0


async def reset(chaos: str, stage: Stage, _: Random) -> int:
    """Break all connections of one kind, as soon as there is one: some are short, and seldom."""
    proxy: Chaos = getattr(stage, chaos)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await proxy.linked()
    return proxy.reset()


async def burn(chaos: str, stage: Stage, rng: Random) -> int:
    """Let every connection of one kind break in the middle of something, for a second."""
    proxy: Chaos = getattr(stage, chaos)
    before = proxy.cuts
    proxy.burn(rng, rng.choice([200, 3000, 20_000]))
    return await _felt(proxy, rng.uniform(0.5, 1.0), lambda: proxy.cuts - before)


async def hang(chaos: str, longest_s: float, stage: Stage, rng: Random) -> int:
    """Hold back what is sent, for longer now and then than a lease or a call may take."""
    proxy: Chaos = getattr(stage, chaos)
    before = proxy.held
    proxy.hang()
    return await _felt(proxy, rng.uniform(0.3, longest_s), lambda: proxy.held - before)


async def delay(chaos: str, stage: Stage, rng: Random) -> int:
    """Let everything take a little longer, for a second."""
    proxy: Chaos = getattr(stage, chaos)
    before = proxy.held
    proxy.latency_s = rng.uniform(0.01, 0.1)
    return await _felt(proxy, rng.uniform(0.5, 1.5), lambda: proxy.held - before)


async def _felt(proxy: Chaos, seconds: float, number: Callable[[], int]) -> int:
    """Let a fault of the wire last so long, or longer until somebody meets it, and end it."""
    await asyncio.sleep(seconds)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while not number():
                await asyncio.sleep(0.02)
    proxy.heal()
    return number()


async def lose_commits(stage: Stage, rng: Random) -> int:
    """Cut connections right before COMMIT, or after it and before its acknowledgement."""
    cutter = stage.cutter
    for _ in range(3):
        before = cutter.cuts
        setattr(cutter, rng.choice(["before", "after"]), lambda text: text.startswith(b"COMMIT"))

        async def cut(so_far: int = before) -> bool:
            return cutter.cuts > so_far

        await driving.until(cut, "a connection is cut at a COMMIT")
    return 3
