"""Load that goes on for as long as something takes, and waiting for some of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.faults.load import Load
from tests.flows import driving

# So many uploads are taken before the next thing happens.
SOME = 25


@contextlib.asynccontextmanager
async def loaded(load: Load) -> AsyncIterator[None]:
    """Upload and read during the block; after it each operation with a key has its answer."""
    over = asyncio.Event()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run(0, lambda: not over.is_set()))
        yield
        over.set()


async def some_more(load: Load) -> None:
    """Wait until some more uploads are taken."""
    enough = taken(load) + SOME

    async def come() -> bool:
        return taken(load) >= enough

    await driving.until(come, f"{SOME} more uploads are taken")


def taken(load: Load) -> int:
    """Count the operations that an answer said were taken."""
    return sum(op.result == "ok" for op in load.book)
