"""Opening the database: who we are there, what it must promise, and how JSON travels."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import asyncpg

from service.errors import StartRefused
from service.store import Conn, Pool

APPLICATION_ROLE = "moderation_app"
OLDEST_MAJOR = 15
# Whatever a server can answer while it starts, stops or is not there.
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg says of a connection that ended in the middle of a statement.
    asyncpg.InternalClientError,
)
# Whatever passes by itself and says nothing about what was asked: a server that was stopped or
# failed over, or has no memory, disk or connections left, deadlocks and locks not got in time.
PASSING = (
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)


@dataclass(frozen=True, slots=True)
class Database:
    """
    Where the database is and who connects.

    ``owner_dsn`` migrates and owns the tables.  ``dsn`` is the application's login, which may be
    the same: its sessions start as the role ``moderation_app``, which owns nothing.
    """

    dsn: str
    owner_dsn: str

    async def pool(self, *, size: int, name: str) -> Pool:
        """Open a pool as the application's role; at most ``size`` connections."""
        with _refusal(self.dsn):
            return await asyncpg.create_pool(
                self.dsn,
                min_size=1,
                max_size=size,
                timeout=10,
                command_timeout=30,
                init=speak_json,
                server_settings=_session(name),
            )

    async def connect(self, *, name: str) -> "asyncpg.Connection[asyncpg.Record]":
        """Open one connection as the application's role, for LISTEN or for keeping leases."""
        return await asyncpg.connect(
            self.dsn,
            timeout=10,
            command_timeout=30,
            server_settings=_session(name),
        )

    async def connect_owner(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Open one connection as the tables' owner, for migrations."""
        with _refusal(self.owner_dsn):
            return await asyncpg.connect(
                self.owner_dsn,
                timeout=10,
                server_settings={"application_name": "moderation migrate"},
            )


def _session(name: str) -> dict[str, str]:
    return {"application_name": f"moderation {name}", "role": APPLICATION_ROLE}


async def check(conn: Conn) -> None:
    """
    Refuse a server that cannot keep our promises.

    Raises:
        StartRefused: Older than PostgreSQL 15, or it acknowledges commits it may lose.
    """
    version = conn.get_server_version()
    if version.major < OLDEST_MAJOR:
        raise StartRefused(
            f"the database is PostgreSQL {version.major}.{version.minor}; "
            f"this service needs {OLDEST_MAJOR} or newer"
        )
    commit = await conn.fetchval("SHOW synchronous_commit")
    if commit == "off":
        raise StartRefused(
            "synchronous_commit is off, so a crash loses acknowledged uploads; "
            "allowed: on, remote_apply, remote_write, local"
        )


async def speak_json(conn: Conn) -> None:
    """Let jsonb columns travel as Python values."""
    await conn.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads, format="text"
    )


@contextmanager
def _refusal(dsn: str) -> Iterator[None]:
    """Say in one line, without the password, which database could not be opened and why."""
    try:
        yield
    except (*UNREACHABLE, asyncpg.PostgresError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, ValueError) and not isinstance(error, asyncpg.InterfaceError):
            # Python's own words would quote a part of the password.
            reason = "its address is malformed; percent-encode special characters in the password"
        raise StartRefused(f"cannot open the database{_place(dsn)}: {reason}") from None


def _place(dsn: str) -> str:
    """Spell host and database, unless any part of them may be a piece of the password."""
    try:
        where = urlsplit(dsn)
        _ = where.port  # Reading it checks it.
        hosts = [where.hostname] if where.hostname else parse_qs(where.query).get("host", [])
    except ValueError:
        return ""
    if (
        where.scheme not in ("postgresql", "postgres")
        or "@" in where.path + where.query + where.fragment
    ):
        return ""
    return f" {(hosts or ['local socket'])[0]}{where.path}"
