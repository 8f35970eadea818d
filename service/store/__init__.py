"""SQL: one module per table, one function per statement; the caller brings the connection."""

from typing import TypeAlias

import asyncpg

Row: TypeAlias = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Conn: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)
# One channel wakes workers, one whoever waits for an upload to finish, one what delivers callbacks,
# one what fetches images.
CHANNEL_DUE = "uploads_due"
CHANNEL_FINISHED = "uploads_finished"
CHANNEL_CALLBACKS = "callbacks_due"
CHANNEL_FETCHES = "fetches_due"
