"""SQL: one module per table, one function per statement; the caller brings the connection."""

from typing import TypeAlias

import asyncpg

Row: TypeAlias = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Conn: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
# One channel wakes workers, the other wakes whoever waits for an upload to finish.
CHANNEL_DUE = "uploads_due"
CHANNEL_FINISHED = "uploads_finished"
