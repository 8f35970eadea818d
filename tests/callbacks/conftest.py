"""A database with uploads that have ended, and a deliverer that runs during the test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from service.delivering import Deliverer, Room
from service.posting import Poster
from service.store import Pool
from service.store.database import Database

TRY_S = 1.0
Delivering = Callable[..., contextlib.AbstractAsyncContextManager[None]]


@pytest.fixture
def delivering(pool: Pool, where: Database) -> Delivering:
    """Run a deliverer in a block; one try of it takes at most a second."""

    @contextlib.asynccontextmanager
    async def run(
        room: Room | None = None, hosts: tuple[str, ...] = ("127.0.0.1",)
    ) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with Poster(hosts, TRY_S) as poster:
            deliverer = Deliverer(pool, where, poster, room or Room())
            task = asyncio.create_task(deliverer.run(stop))
            try:
                yield
            finally:
                stop.set()
                await task

    return run
