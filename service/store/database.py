"""Opening the database: who we are there, what it must promise, and how JSON travels."""

import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
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
    the same: its sessions start as the role ``moderation_app``, which owns nothing.  Where a pooler
    is ``pooled`` by transaction, no session is ours: the login must be that role by itself.  Of
    several hosts the one is used that takes writes, unless the address says otherwise.
    """

    dsn: str
    owner_dsn: str
    pooled: bool = False

    async def pool(self, *, size: int, name: str) -> Pool:
        """Open a pool as the application's role; at most ``size`` connections."""
        with _refusal(self.dsn):
            return await asyncpg.create_pool(
                self.dsn,
                min_size=1,
                max_size=size,
                init=speak_json,
                setup=_usable,
                **self._session(name),
            )

    async def connect(self, *, name: str) -> "asyncpg.Connection[asyncpg.Record]":
        """Open one connection as the application's role, for LISTEN or for keeping leases."""
        return await asyncpg.connect(self.dsn, **self._session(name))

    def _session(self, name: str) -> dict[str, Any]:
        """Tell what every session of the application has in common."""
        common: dict[str, Any] = {
            "timeout": 10,
            "command_timeout": 30,
            "target_session_attrs": _wanted(self.dsn),
            "server_settings": {"application_name": f"moderation {name}"},
        }
        if self.pooled:
            return common | {"statement_cache_size": 0, "connection_class": PooledConnection}
        common["server_settings"]["role"] = APPLICATION_ROLE
        return common | {"connection_class": Connection}

    async def connect_owner(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Open one connection as the tables' owner, for migrations; StartRefused of a pooler."""
        with _refusal(self.owner_dsn):
            conn = await asyncpg.connect(
                self.owner_dsn,
                timeout=10,
                target_session_attrs=_wanted(self.owner_dsn),
                server_settings={"application_name": "moderation migrate"},
            )
        if await _behind_pooler(conn):
            await conn.close()
            raise StartRefused(
                "migrations do not work through a pooler: set MODERATION_OWNER_DATABASE_URL to the "
                "server itself"
            )
        return conn


class Connection(asyncpg.Connection):
    """A connection that is not reset between its users, which costs as much as a statement."""

    def get_reset_query(self) -> str:
        """Leave it as it is: whatever we set or lock ends with its transaction."""
        return ""


class PooledConnection(Connection):
    """
    A connection through a pooler that gives each transaction any of its own connections.

    asyncpg sends a statement and its values in two exchanges, between which the pooler might change
    the connection: so each statement outside a transaction gets one.  Source: asyncpg's FAQ.
    """

    async def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """Do as asyncpg does, in a transaction."""
        async with self._together():
            return await super().fetch(*args, **kwargs)

    async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:
        """Do as asyncpg does, in a transaction."""
        async with self._together():
            return await super().fetchrow(*args, **kwargs)

    async def fetchval(self, *args: Any, **kwargs: Any) -> Any:
        """Do as asyncpg does, in a transaction."""
        async with self._together():
            return await super().fetchval(*args, **kwargs)

    async def execute(self, query: str, *args: Any, **kwargs: Any) -> str:
        """Do as asyncpg does; a statement without values is one exchange by itself."""
        if not args:
            return await super().execute(query, **kwargs)
        async with self._together():
            return await super().execute(query, *args, **kwargs)

    async def executemany(self, *args: Any, **kwargs: Any) -> None:
        """Do as asyncpg does, in a transaction."""
        async with self._together():
            await super().executemany(*args, **kwargs)

    def _together(self) -> AbstractAsyncContextManager[object]:
        return nullcontext() if self.is_in_transaction() else self.transaction()


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


async def check_session(conn: Conn, where: Database) -> None:
    """
    Refuse a pooler that we were not told of, and a login through one that is not the role.

    Raises:
        StartRefused: It says what to set.
    """
    if not where.pooled and await _behind_pooler(conn):
        raise StartRefused(
            "the database is behind a pooler: set MODERATION_POOLER=transaction, or connect to the "
            "server itself"
        )
    role = await conn.fetchval("SELECT current_user")
    if role != APPLICATION_ROLE:
        raise StartRefused(
            f"through the pooler we are {role}; the login must be {APPLICATION_ROLE}, or: "
            f"ALTER ROLE {role} SET role = {APPLICATION_ROLE}"
        )


async def speak_json(conn: Conn) -> None:
    """Let jsonb columns travel as Python values."""
    async with conn.transaction():
        await conn.set_type_codec(
            "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads, format="text"
        )


async def _behind_pooler(conn: Conn) -> bool:
    """Tell whether it is another process that answers: a pooler tells an id of its own making."""
    found: int = await conn.fetchval("SELECT pg_backend_pid()")
    return found != conn.get_server_pid()


async def _usable(conn: Conn) -> None:
    """Give a connection up whose server takes no more writes: another one of the hosts does."""
    settings = conn.get_settings()
    told = ("in_hot_standby", "default_transaction_read_only")
    if any(getattr(settings, name, "off") == "on" for name in told):
        raise asyncpg.ConnectionDoesNotExistError("its server has become read-only")


def _wanted(dsn: str) -> Any:
    """Want a server that takes writes, unless the address asks for others."""
    return None if "target_session_attrs=" in dsn else "read-write"


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
        if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
            reason = "no host of it takes writes; name the primary, or all hosts"
        if "startup parameter" in reason:
            reason += "; of a pooler: set MODERATION_POOLER=transaction"
        raise StartRefused(f"cannot open the database{_place(dsn)}: {reason}") from None


def _place(dsn: str) -> str:
    """Spell host and database, unless any part of them may be a piece of the password."""
    try:
        where = urlsplit(dsn)
        several = where.netloc.rpartition("@")[2]
        if "," in several:
            hosts = [several]
        else:
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
