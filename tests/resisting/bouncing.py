"""A real PgBouncer before the tests' server, which pools by transaction."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from service.store.database import Database

CONFIG = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 4
{more}
"""


def installed() -> str:
    """Give PgBouncer's path, and install Debian's as root; only who is not root may skip."""
    path = os.environ["PATH"] + ":/usr/sbin"
    if shutil.which("pgbouncer", path=path) is None:
        if os.geteuid() != 0:
            pytest.skip("there is no PgBouncer here, and only root can install Debian's")
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "pgbouncer"]):
            subprocess.run(["apt-get", *command], check=True, capture_output=True)
    found = shutil.which("pgbouncer", path=path)
    assert found is not None
    return found


@contextlib.asynccontextmanager
async def bouncer(where: Database, folder: Path, more: str = "") -> AsyncIterator[Database]:
    """Run one for a database; gives how the database is reached through it."""
    program = installed()
    server = urlsplit(where.dsn)
    query = parse_qs(server.query)
    host = server.hostname or query["host"][0]
    port = server.port or int(query.get("port", ["5432"])[0])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        listen = taken.getsockname()[1]
    config = _configure(folder, host=host, port=port, listen=listen, more=more)
    # It refuses to run as root, so another user must reach the socket of the tests' server.
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    _let_through(Path(host).parents[1])
    for place in (Path(host).parent, Path(host), Path(host) / f".s.PGSQL.{port}"):
        place.chmod(place.stat().st_mode | 0o077)
    process = await asyncio.create_subprocess_exec(
        program, *as_whom, str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", listen)
                except ConnectionRefusedError:
                    assert process.returncode is None, "pgbouncer ended at its start"
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        address = f"postgresql://{{}}@127.0.0.1:{listen}{server.path}"
        yield replace(
            where,
            dsn=address.format("moderation_app"),
            owner_dsn=address.format("moderation_owner"),
        )
    finally:
        process.kill()
        await process.wait()


def _configure(folder: Path, **values: object) -> Path:
    """Write its files where it can read them, whoever it runs as."""
    folder.mkdir(mode=0o755)
    _let_through(folder)
    names = ("moderation_app", "moderation_owner")
    (folder / "users").write_text("".join(f'"{name}" ""\n' for name in names))
    config = folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(folder=folder, **values))
    return config


def _let_through(folder: Path) -> None:
    """Let everybody reach what lies in a folder and has rights of its own."""
    for one in (folder, *folder.parents):
        if one.stat().st_uid == os.geteuid() and one != Path("/"):
            one.chmod(one.stat().st_mode | 0o011)
