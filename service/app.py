"""The composition root: what the settings come to, and what is opened for all roles."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from service import log, resources, settings
from service.data_folder import DATABASE_FILE
from service.edits import Upstream
from service.errors import StartRefused
from service.local import MODEL, missing_packages
from service.settings import Settings
from service.store import Conn, Pool, database, migrations
from service.store.database import Database
from service.upstreams import upstream_of


def load(**overrides: object) -> Settings:
    """Read the settings and set up logging; see ``settings.read``."""
    read = settings.read(overrides)
    log.configure(read.log)
    return read


def database_of(configured: Settings) -> Database:
    """Tell which database is configured, else that of a running `up`; StartRefused if none is."""
    if configured.database_url is None:
        noted = configured.data_dir / DATABASE_FILE
        if noted.is_file():
            dsn = noted.read_text("utf-8")
            return Database(dsn, dsn)
        raise StartRefused(
            "MODERATION_DATABASE_URL is not set; set it, or run `moderation up`, "
            "which starts a database of its own"
        )
    dsn = configured.database_url.get_secret_value()
    owner = configured.owner_database_url
    pooled = configured.pooler == "transaction"
    return Database(dsn, owner.get_secret_value() if owner else dsn, pooled)


def upstreams_of(configured: Settings) -> list[Upstream]:
    """Build the upstreams; StartRefused if none is configured or a key is missing."""
    if not configured.upstream:
        raise StartRefused(
            "no upstream is configured; set MODERATION_UPSTREAM_KEY (and MODERATION_UPSTREAM_URL), "
            "or run `moderation up`, which starts the local edits endpoint"
        )
    return [upstream_of(table, os.environ) for table in configured.upstream]


def second_look_of(configured: Settings, upstreams: Sequence[Upstream]) -> int:
    """
    Tell how many detector processes a worker has; StartRefused if they are asked for in vain.

    Behind the local endpoint there are none by default: the very same ones have looked twice.
    """
    missing = missing_packages()
    if configured.second_look is None:
        return int(not missing and any(one.model != MODEL for one in upstreams))
    if configured.second_look and missing:
        raise StartRefused(
            f"MODERATION_SECOND_LOOK={configured.second_look} needs {', '.join(missing)}: "
            "pip install 'moderation-service[local]'"
        )
    return configured.second_look


def public_url(configured: Settings) -> str:
    """Tell the address that others reach the API by."""
    if configured.public_url is not None:
        return str(configured.public_url).rstrip("/")
    host = "127.0.0.1" if configured.host in ("0.0.0.0", "::") else configured.host  # noqa: S104  # names what the operator chose
    return f"http://{f'[{host}]' if ':' in host else host}:{configured.port}"


@asynccontextmanager
async def connected(configured: Settings) -> AsyncIterator[Conn]:
    """Open one connection for a command of the command line."""
    async with opened(database_of(configured), "command", 1) as pool, pool.acquire() as conn:
        yield conn


@asynccontextmanager
async def opened(where: Database, name: str, size: int) -> AsyncIterator[Pool]:
    """Open a pool on a database that can keep our promises and is up to date."""
    needed = migrations.read(resources.folder("migrations"))
    pool = await where.pool(size=size, name=name)
    try:
        async with pool.acquire() as conn:
            await database.check(conn)
            await database.check_session(conn, where)
            await migrations.check_level(conn, needed)
        yield pool
    finally:
        await pool.close()
