"""Writing what was paid for: again and again, while the database is away and nobody took over."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from service import log
from service.store import Conn, Pool, uploads
from service.store.database import UNREACHABLE

# How long a finished answer is held while the database is away; it was paid for.
WAITS_S = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 8.0)
# A process that is told to end has no time: what it cannot give back costs the upload one charge,
# once the lease has run out.
ENDING_WAITS_S = (0.1, 0.3)


async def write(
    pool: Pool,
    claim: uploads.Claim,
    what: Callable[[Conn], Awaitable[None]],
    waits_s: Sequence[float] = WAITS_S,
) -> None:
    """
    Run ``what`` on a connection, again after each wait if the database fails.

    Raises:
        LeaseLost: Another attempt has the upload; nothing was written.
        asyncpg.PostgresError, OSError: The database failed to the end.
    """
    unknown = False
    for wait_s in (*waits_s, None):
        try:
            async with pool.acquire() as conn:
                if unknown and await uploads.ended_by(conn, claim.id, claim.attempt):
                    return  # The commit had arrived and only its acknowledgement was lost.
                await what(conn)
                return
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            if wait_s is None:
                raise
            unknown = True
            log.get().warning("write_retried", reason=repr(error)[:300], wait_s=wait_s)
            await asyncio.sleep(wait_s)
