"""
Numbered SQL files, applied once each, in order, by whoever starts first.

A file ``NNNN_verb_noun.sql`` runs in one transaction under a lock and a statement timeout, so that
it can never hold a busy table.  Each line ``-- no-transaction`` begins a part that runs by itself,
for a statement such as CREATE INDEX CONCURRENTLY; a file with such lines must bear to be applied
again, where it did not come to its end.  What an index's build that was cut off left is dropped.
"""

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from service import log
from service.errors import StartRefused
from service.store import Conn
from service.store.database import APPLICATION_ROLE

LOCK = 0x6D6F6465  # "mode" in ASCII
LOCK_WAIT_S = 120.0
# A lock is waited for less long than the second after which Postgres looks for a deadlock: of two
# that wait for each other it is the migration that lets go, and not an upload.
TIMEOUTS = "SET LOCAL lock_timeout = '900ms'; SET LOCAL statement_timeout = '5s'"
TABLES_WAIT_S = 60.0
OTHERS_PASS_S = 0.3
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_NO_TRANSACTION = re.compile(r"^--\s*no-transaction\s*$", re.MULTILINE)
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY (IF NOT EXISTS )?(\w+)", re.MULTILINE)

_LEDGER = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version    integer PRIMARY KEY,
        name       text NOT NULL,
        sha256     text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
_ROLE_EXISTS = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
# A build that was cut off leaves an index that is kept up to date, and that no query uses.
_LEFT_BEHIND = """
    SELECT indexrelid::regclass::text FROM pg_index
     WHERE indexrelid = to_regclass($1) AND (NOT indisvalid OR $2)
"""
_LEVEL = "SELECT coalesce(max(version), 0) FROM schema_migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name, text and the sha256 of the text."""

    version: int
    name: str
    sql: str
    sha256: str


def read(folder: Path) -> list[Migration]:
    """
    Read every migration of a folder, in order.

    Raises:
        StartRefused: No file, a name that is not ``NNNN_verb_noun.sql``, a number used twice.
    """
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        name = _NAME.fullmatch(path.name)
        if name is None:
            raise StartRefused(f"migration {path.name} must be named NNNN_verb_noun.sql")
        sql = path.read_text("utf-8")
        version = int(name[1])
        if version in found:
            raise StartRefused(f"two migrations are numbered {version:04d}")
        found[version] = Migration(
            version, path.name, sql, hashlib.sha256(sql.encode()).hexdigest()
        )
    if not found:
        raise StartRefused(f"no migrations in {folder}")
    return list(found.values())


async def apply(conn: Conn, migrations: list[Migration]) -> list[str]:
    """
    Bring the database up to date; concurrent callers wait for the one that works.

    Args:
        conn: A direct connection (not through a transaction pooler) as the owner.

    Returns:
        The names applied now, in order.

    Raises:
        StartRefused: An applied file was edited since, or the lock stays taken for two minutes.
    """
    await _lock(conn)
    try:
        await _ensure_role(conn)
        await conn.execute(_LEDGER)
        await conn.execute(f"GRANT SELECT ON schema_migrations TO {APPLICATION_ROLE}")
        done = {
            row["version"]: row
            for row in await conn.fetch("SELECT version, name, sha256 FROM schema_migrations")
        }
        applied = []
        for migration in migrations:
            before = done.get(migration.version)
            if before is None:
                await _apply_one(conn, migration)
                applied.append(migration.name)
            elif before["sha256"] != migration.sha256:
                raise StartRefused(f"migration {migration.name} was edited after it was applied")
        return applied
    finally:
        await conn.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def level(conn: Conn) -> int:
    """Tell the highest migration applied; 0 for a database that was never migrated."""
    if await conn.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return 0
    return int(await conn.fetchval(_LEVEL))


async def check_level(conn: Conn, migrations: list[Migration]) -> None:
    """Refuse a database older than this code; a newer one is allowed while a fleet upgrades."""
    have, need = await level(conn), migrations[-1].version
    if have < need:
        raise StartRefused(
            f"the database is at migration {have:04d} and this code needs {need:04d}: "
            "run `moderation migrate`"
        )


async def _lock(conn: Conn) -> None:
    # A waiting pg_advisory_lock() holds a snapshot, which blocks CREATE INDEX CONCURRENTLY in
    # the process that has the lock: a deadlock.  So the lock is polled.
    deadline = time.monotonic() + LOCK_WAIT_S
    while not await conn.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if time.monotonic() > deadline:
            raise StartRefused(
                f"another process has been migrating this database for {LOCK_WAIT_S:.0f} s"
            )
        await asyncio.sleep(0.1)


async def _ensure_role(conn: Conn) -> None:
    """Make the application's role, which owns nothing, unless an administrator has."""
    try:
        if not await conn.fetchval(_ROLE_EXISTS, APPLICATION_ROLE):
            await conn.execute(f"CREATE ROLE {APPLICATION_ROLE} NOLOGIN")
        if not await _may_become(conn, APPLICATION_ROLE):
            await conn.execute(f"GRANT {APPLICATION_ROLE} TO CURRENT_USER")
    except asyncpg.InsufficientPrivilegeError as error:
        user = await conn.fetchval("SELECT quote_ident(current_user)")
        known = await conn.fetchval(_ROLE_EXISTS, APPLICATION_ROLE)
        make = "" if known else f"CREATE ROLE {APPLICATION_ROLE} NOLOGIN; "
        raise StartRefused(
            f"{user} may not {'use' if known else 'make'} the role {APPLICATION_ROLE}; "
            f"as an administrator run: {make}GRANT {APPLICATION_ROLE} TO {user}"
        ) from error
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        # Roles belong to the whole server, and another database's migrations made it meanwhile.
        await _ensure_role(conn)


async def _may_become(conn: Conn, role: str) -> bool:
    # pg_has_role() cannot be asked: what it calls a member may lack the right to SET since 16.
    try:
        await conn.execute(f"SET ROLE {role}")
    except asyncpg.InsufficientPrivilegeError:
        return False
    await conn.execute("RESET ROLE")
    return True


async def _apply_one(conn: Conn, migration: Migration) -> None:
    deadline = time.monotonic() + TABLES_WAIT_S
    while True:
        try:
            first, *alone = _NO_TRANSACTION.split(migration.sql)
            async with conn.transaction():
                await conn.execute(f"{TIMEOUTS};\n{first}")
                if not alone:
                    await _note(conn, migration)
            for part in alone:
                await _make_way(conn, part)
                await conn.execute(part)
            if alone:
                await _note(conn, migration)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            # Others hold the tables, and some of them wait for what was locked here already.
            if time.monotonic() > deadline:
                raise
            log.get().warning("migration_waits_for_lock", name=migration.name)
            await asyncio.sleep(OTHERS_PASS_S)
        else:
            log.get().info("migration_applied", name=migration.name)
            return


async def _make_way(conn: Conn, part: str) -> None:
    """Drop what an earlier try at a part left of the indexes that it builds."""
    for unless_there, name in _INDEX.findall(part):
        if left := await conn.fetchval(_LEFT_BEHIND, name, not unless_there):
            await conn.execute(f"DROP INDEX CONCURRENTLY {left}")
            log.get().warning("migration_index_dropped", name=left)


async def _note(conn: Conn, migration: Migration) -> None:
    await conn.execute(
        "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.sha256,
    )
