"""
Own an embedded Postgres as a process of its own: commands come in, one JSON line goes out for each.

``FOLDER PRIVILEGES`` start it; ``insert`` adds rows until killed; ``crash`` kills the server and
starts it again; ``stop`` ends both.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import asyncpg

from service import log
from service.embedded.account import Privileges
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused


def tell(**facts: object) -> None:
    sys.stdout.write(f"{json.dumps(facts)}\n")
    sys.stdout.flush()


async def insert(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("CREATE TABLE IF NOT EXISTS rows (number bigint PRIMARY KEY)")
    number = await conn.fetchval("SELECT coalesce(max(number), 0) FROM rows")
    while True:
        number += 1
        await conn.execute("INSERT INTO rows VALUES ($1)", number)
        tell(event="row", number=number)


async def version(dsn: str) -> int:
    conn = await asyncpg.connect(dsn)
    try:
        return int(await conn.fetchval("SELECT current_setting('server_version_num')"))
    finally:
        await conn.close()


def crash(postgres: EmbeddedPostgres) -> int:
    """Kill the server and start it again once ``poll`` has told its end; returns that status."""
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while (status := postgres.poll()) is None:
        assert time.monotonic() < deadline, "poll never told that the server had ended"
        time.sleep(0.001)
    postgres.start()
    return status


def zombies() -> int:
    """Count the dead servers that nobody has taken the exit status of, in our process table."""
    listed = [entry.joinpath("stat") for entry in Path("/proc").glob("[0-9]*")]
    return sum(") Z " in stat.read_text() for stat in listed if stat.exists())


def main(folder: str, privileges: Privileges) -> None:
    log.configure("json")
    postgres = EmbeddedPostgres(Path(folder), privileges=privileges)
    dsn = postgres.dsn("postgres", "postgres")
    try:
        postgres.start()
    except StartRefused as refused:
        tell(event="refused", message=str(refused))
        sys.exit(2)
    tell(event="ready", owner=os.getpid(), uid=os.geteuid(), server=postgres.pid, dsn=dsn)
    for line in sys.stdin:
        command = line.strip()
        if command == "insert":
            asyncio.run(insert(dsn))
        elif command == "crash":
            status = crash(postgres)
            version_num = asyncio.run(version(dsn))
            tell(event="crashed", status=status, version=version_num, zombies=zombies())
        elif command == "stop":
            postgres.stop()
            tell(event="stopped")


if __name__ == "__main__":
    main(sys.argv[1], "nobody" if sys.argv[2:] == ["nobody"] else "auto")
