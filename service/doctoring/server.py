"""Checks of the database server: what it promises, who we are there, how much room it has."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from service import resources
from service.doctoring import Finding, Subject, fail, ok, warn
from service.doctoring.machine import disk_of
from service.store import Conn, health, migrations
from service.store.database import APPLICATION_ROLE, OLDEST_MAJOR

# Signed messages carry the database's time, and receivers refuse what is 300 s off.
SKEW_S: Final = 2.0
FATAL_SKEW_S: Final = 120.0


async def version(_: Subject, conn: Conn) -> Finding:
    """See whether the server is new enough."""
    found = (await health.server(conn)).version
    if conn.get_server_version().major < OLDEST_MAJOR:
        return fail(f"PostgreSQL {found}", f"upgrade it to {OLDEST_MAJOR} or newer")
    return ok(f"PostgreSQL {found}")


async def durability(_: Subject, conn: Conn) -> Finding:
    """See whether what was committed outlives a crash."""
    server = await health.server(conn)
    said = f"synchronous_commit is {server.synchronous_commit}, fsync {server.fsync}"
    if server.synchronous_commit == "off" or server.fsync == "off":
        return fail(said, "set both to on: a crash would lose uploads that were acknowledged")
    if server.full_page_writes == "off":
        return warn(
            f"{said}, full_page_writes off", "set it to on unless the disk never tears a page"
        )
    return ok(said)


async def level(_: Subject, conn: Conn) -> Finding:
    """See whether the schema is the one that this code needs."""
    needed = migrations.read(resources.folder("migrations"))
    need, have = needed[-1].version, await migrations.level(conn)
    if have < need:
        return fail(f"migration {have:04d}, and this code needs {need:04d}", "moderation migrate")
    applied = await health.applied(conn)
    edited = [one.name for one in needed if applied.get(one.version) != one.sha256]
    if edited:
        return fail(
            f"applied otherwise than this code has them: {', '.join(edited)}",
            "use the release that made this database: applied files are never edited",
        )
    if have > need:
        return warn(
            f"migration {have:04d}, and this code knows {need:04d}",
            "upgrade this installation; until then old and new code may run side by side",
        )
    return ok(f"migration {have:04d}")


async def rights(_: Subject, conn: Conn) -> Finding:
    """See whether the application's role can do its work, and cannot change history."""
    mine = await health.rights(conn)
    if mine.role != APPLICATION_ROLE:
        return fail(
            f"statements run as {mine.role}, not {APPLICATION_ROLE}",
            f"GRANT {APPLICATION_ROLE} to the login of MODERATION_DATABASE_URL",
        )
    if mine.missing:
        return fail(f"{mine.role} lacks {', '.join(mine.missing)}", "moderation migrate")
    if mine.owned or mine.excessive:
        return fail(
            f"{mine.role} owns {mine.owned} tables and has {', '.join(mine.excessive) or 'no'}"
            " rights beyond its own",
            "make another role their owner and revoke these: history could be rewritten",
        )
    if mine.superuser:
        return warn(
            f"{mine.role} owns nothing, and the login behind it is a superuser",
            "give MODERATION_DATABASE_URL a login of its own",
        )
    return ok(f"{mine.role} owns nothing")


async def pooler(_: Subject, conn: Conn) -> Finding:
    """See whether statements reach one server process, unless a pooler in between was asked for."""
    pids = await health.backends(conn, 8)
    if len(pids) > 1:
        return warn(
            f"8 statements went to {len(pids)} server processes: a pooler in transaction mode",
            "configure the service for it, or connect directly; README tells how",
        )
    return ok("connected directly, or by a pooler in session mode")


async def connections(subject: Subject, conn: Conn) -> Finding:
    """See whether there are connections for every role."""
    there = await health.connections(conn)
    free, more = there.allowed - there.used, subject.connections - there.ours
    said = f"{there.used} of {there.allowed} connections in use, {there.ours} by the service"
    if free < more:
        return warn(
            f"{said}, which needs {subject.connections}",
            "raise max_connections, or run fewer processes",
        )
    return ok(f"{said}, which needs {subject.connections}")


async def clock(_: Subject, conn: Conn) -> Finding:
    """See whether the database's clock, which all times are of, is right."""
    begun, sent = time.monotonic(), datetime.now(UTC)
    at = (await health.server(conn)).at
    halfway = sent + timedelta(seconds=(time.monotonic() - begun) / 2)
    skew_s = abs((at - halfway).total_seconds())
    said = f"it is {skew_s:.1f} s from this machine's"
    if skew_s <= SKEW_S:
        return ok(said)
    judged = fail if skew_s > FATAL_SKEW_S else warn
    return judged(said, "let both machines follow NTP: signed callbacks carry that time")


async def disk(subject: Subject, conn: Conn) -> Finding:
    """See whether the disk of a database that is ours has room."""
    size = f"{(await health.server(conn)).bytes / 2**20:.0f} MiB in this database"
    folder = subject.data_dir / "postgres"
    if not folder.is_dir():
        return ok(f"{size}; its disk is that of another server, to be watched there")
    return disk_of(Path(folder), size)
