"""A hot standby of a server: every commit waits for it, and it can be promoted."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import asyncpg

from service.embedded import account
from service.embedded.cluster import SUPERUSER, open_programs
from service.embedded.folder import Layout
from service.embedded.server import EmbeddedPostgres
from tests.flows import driving

PORT = 5432
# What a server and its standby have in common.
SETTINGS = {"fsync": "off", "max_connections": "200"}
_IN_STEP = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


def dsn(database: str, user: str, *folders: Path) -> str:
    """Spell the address of a database that is on several servers, each with its socket's folder."""
    hosts, ports = ",".join(map(str, folders)), ",".join([str(PORT)] * len(folders))
    return f"postgresql://{user}@/{database}?" + urlencode({"host": hosts, "port": ports})


@contextlib.asynccontextmanager
async def standby(primary: EmbeddedPostgres, folder: Path) -> AsyncIterator[Path]:
    """
    Copy a running server and follow it; gives the folder of the copy's socket.

    From then on the primary acknowledges no commit that the copy does not have.
    """
    copy, run = _prepared(primary, layout := Layout(folder))
    copying = await asyncio.create_subprocess_exec(*copy, stderr=asyncio.subprocess.PIPE)
    _, said = await copying.communicate()
    assert copying.returncode == 0, said
    _hand_over(layout)
    server = await asyncio.create_subprocess_exec(*run, cwd="/", start_new_session=True)
    try:
        await _in_step(primary)
        yield layout.sockets(str(PORT))
    finally:
        server.send_signal(signal.SIGQUIT)
        await server.wait()


async def promote(sockets: Path) -> None:
    """Make the copy the one that takes writes."""
    conn = await asyncpg.connect(dsn("postgres", SUPERUSER, sockets))
    try:
        assert await conn.fetchval("SELECT pg_promote()")
    finally:
        await conn.close()


async def _in_step(primary: EmbeddedPostgres) -> None:
    conn = await asyncpg.connect(primary.dsn("postgres", SUPERUSER))
    try:
        await conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await conn.execute("SELECT pg_reload_conf()")

        async def followed() -> bool:
            return bool(await conn.fetchval(_IN_STEP))

        await driving.until(followed, "the standby follows")
    finally:
        await conn.close()


def _prepared(primary: EmbeddedPostgres, layout: Layout) -> tuple[list[str], list[str]]:
    """Make the folder; give the commands that copy the server and that run the copy."""
    layout.root.mkdir(mode=0o711)
    who = account.choose("auto")
    programs = open_programs(layout, who, None).folder
    copy = [str(programs / "pg_basebackup"), f"--pgdata={layout.data}", "--checkpoint=fast"]
    copy += ["--write-recovery-conf", "--no-sync", f"--dbname={primary.dsn('', SUPERUSER)}"]
    options = {
        "listen_addresses": "",
        "logging_collector": "on",
        "unix_socket_directories": str(layout.sockets(str(PORT))),
        "port": str(PORT),
        **SETTINGS,
    }
    run = [str(programs / "postgres"), "-D", str(layout.data)]
    run += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return copy, who.command(run, signal.SIGQUIT)


def _hand_over(layout: Layout) -> None:
    """Give the copy and the folder of its socket to the account that runs it."""
    layout.sockets(str(PORT)).mkdir(mode=0o700)
    for place in (layout.data, layout.sockets(str(PORT))):
        account.adopt(place, account.choose("auto"))
