"""What an operator asks of the database itself, and of what waits in it."""

from dataclasses import dataclass
from datetime import datetime

from service.store import Conn
from service.store.database import APPLICATION_ROLE

_SERVER = """
    SELECT current_setting('server_version') AS version,
           current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('fsync') AS fsync,
           current_setting('full_page_writes') AS full_page_writes,
           pg_database_size(current_database()) AS bytes,
           clock_timestamp() AS at
"""
# What the application's role must be able to do, and what nobody but the owner may.
_RIGHTS = f"""
    SELECT current_user::text AS role,
           (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AS superuser,
           (SELECT count(*) FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner
             WHERE r.rolname = '{APPLICATION_ROLE}') AS owned,
           ARRAY(SELECT wanted.name || ': ' || wanted.act
                   FROM (VALUES ('uploads', 'INSERT'), ('images', 'INSERT'), ('audit', 'SELECT'),
                                ('attempts', 'INSERT'), ('records', 'SELECT'))
                        AS wanted (name, act)
                  WHERE NOT has_table_privilege(wanted.name, wanted.act)) AS missing,
           ARRAY(SELECT denied.name || ': ' || denied.act
                   FROM (VALUES ('audit', 'UPDATE'), ('audit', 'DELETE'),
                                ('ruleset_versions', 'UPDATE'), ('decisions', 'DELETE'),
                                ('spending', 'UPDATE'), ('attempts', 'DELETE'))
                        AS denied (name, act)
                  WHERE has_table_privilege(denied.name, denied.act)) AS excessive
"""  # noqa: S608  # a constant of ours
_BACKEND = "SELECT pg_backend_pid()"
_CONNECTIONS = """
    SELECT current_setting('max_connections')::integer
               - current_setting('superuser_reserved_connections')::integer AS allowed,
           count(*) FILTER (WHERE backend_type = 'client backend') AS used,
           count(*) FILTER (WHERE application_name LIKE 'moderation %'
                              AND application_name <> 'moderation doctor') AS ours
      FROM pg_stat_activity
"""
_QUEUE = """
    SELECT count(*) FILTER (WHERE state = 'queued' AND due_at <= now()) AS due,
           coalesce(extract(epoch FROM now() - min(due_at)
               FILTER (WHERE state = 'queued' AND due_at <= now())), 0)::float8 AS oldest_s,
           count(*) FILTER (WHERE state = 'working' AND due_at <= now() - interval '10 seconds')
               AS lapsed
      FROM uploads WHERE state IN ('queued', 'working')
"""
_LEDGER = "SELECT version, sha256 FROM schema_migrations ORDER BY version"
_TOKENS = """
    SELECT count(*) FROM tokens
     WHERE role = 'platform' AND revoked_at IS NULL
       AND (expires_at IS NULL OR expires_at > now())
"""


@dataclass(frozen=True, slots=True)
class Server:
    """What the server promises, and its clock; ``bytes`` are those of the database."""

    version: str
    synchronous_commit: str
    fsync: str
    full_page_writes: str
    bytes: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Rights:
    """Who we are there; ``missing`` and ``excessive`` are like ``uploads: INSERT``."""

    role: str
    superuser: bool
    owned: int
    missing: list[str]
    excessive: list[str]


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections there may be and are, and how many of them are the service's."""

    allowed: int
    used: int
    ours: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What is due and not taken: how many, the oldest's age, and leases that have run out."""

    due: int
    oldest_s: float
    lapsed: int


async def server(conn: Conn) -> Server:
    """Ask the server about itself."""
    row = await conn.fetchrow(_SERVER)
    if row is None:
        raise LookupError("the server told nothing of itself")
    return Server(**row)


async def rights(conn: Conn) -> Rights:
    """Ask what this connection may do."""
    row = await conn.fetchrow(_RIGHTS)
    if row is None:
        raise LookupError("the server told nothing of our rights")
    return Rights(**row)


async def backends(conn: Conn, times: int) -> set[int]:
    """Tell which server processes answer, one statement after the other."""
    return {int(await conn.fetchval(_BACKEND)) for _ in range(times)}


async def connections(conn: Conn) -> Connections:
    """Count connections."""
    row = await conn.fetchrow(_CONNECTIONS)
    return Connections(**row) if row else Connections(0, 0, 0)


async def queue(conn: Conn) -> Queue:
    """Look at what should have been taken."""
    row = await conn.fetchrow(_QUEUE)
    return Queue(**row) if row else Queue(0, 0.0, 0)


async def applied(conn: Conn) -> dict[int, str]:
    """Read which migrations were applied, with the digests of their files."""
    return {row["version"]: row["sha256"] for row in await conn.fetch(_LEDGER)}


async def platform_tokens(conn: Conn) -> int:
    """Count the tokens with which platforms can send."""
    return int(await conn.fetchval(_TOKENS))
