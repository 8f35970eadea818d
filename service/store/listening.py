"""LISTEN on a connection of its own; a hint only, since everything also works by polling."""

import asyncio
from collections.abc import Callable

import asyncpg

from service import log
from service.store.database import UNREACHABLE, Database

RECONNECT_S = 1.0
POOLED_S = 0.25


async def listen(database: Database, channel: str, heard: Callable[[str], None]) -> None:
    """Call ``heard`` with each payload, reconnecting for ever; ends when cancelled."""
    while database.pooled:
        # Behind a pooler nobody hears anything, so that it is asked for more often instead.
        heard("")
        await asyncio.sleep(POOLED_S)
    while True:
        try:
            conn = await database.connect(name=f"listen {channel}")
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            log.get().warning("listen_lost", channel=channel, reason=str(error))
            await asyncio.sleep(RECONNECT_S)
            continue
        closed = asyncio.Event()
        conn.add_termination_listener(lambda _, closed=closed: closed.set())
        try:
            await conn.add_listener(channel, lambda _c, _p, _n, payload: heard(str(payload)))
            # What was announced while nobody listened is found by asking once.
            heard("")
            await closed.wait()
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            log.get().warning("listen_lost", channel=channel, reason=str(error))
        finally:
            conn.terminate()
