"""The composition root: what the settings come to, and what is opened for all roles."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from service import (
    administering,
    auth,
    log,
    preparing,
    quoting,
    resources,
    settings,
    stopping,
)
from service.edits import Upstream
from service.errors import StartRefused
from service.local import MODEL, missing_packages
from service.quoting import Offer
from service.settings import Settings
from service.store import Conn, Pool, database, migrations
from service.store.database import Database
from service.up import ADDRESS_FILE, DATABASE_FILE, Plan, Running, running
from service.upstreams import upstream_of
from service.web.headroom import Bounds

# How long `up` may take to stop beside the grace of its parts, and when told to stop at once.
STOP_S = 60.0


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


def offers_of(configured: Settings) -> list[Offer]:
    """Tell what the upstreams take and cost; where none is configured, nothing."""
    return quoting.offers_of(configured.upstream)


def bounds_of(configured: Settings) -> Bounds:
    """Tell up to where uploads are taken."""
    gigabytes = configured.max_database_gb
    size = None if gigabytes is None else int(gigabytes * 1e9)
    return Bounds(configured.max_backlog, size)


def public_url(configured: Settings) -> str:
    """Tell the address that others reach the API by."""
    if configured.public_url is not None:
        return str(configured.public_url).rstrip("/")
    host = "127.0.0.1" if configured.host in ("0.0.0.0", "::") else configured.host  # noqa: S104  # names what the operator chose
    return f"http://{f'[{host}]' if ':' in host else host}:{configured.port}"


async def migrate(configured: Settings) -> list[str]:
    """Apply migrations and publish the rulesets that come with the code; tell what was new."""
    return await preparing.prepare(database_of(configured))


async def up(
    configured: Settings,
    shown: Callable[[Running], None],
    meanwhile: Callable[[Running], Awaitable[bool]] | None,
    *,
    once: bool,
) -> bool:
    """
    Run everything on this machine until SIGTERM.

    Args:
        shown: Told what is up, once it is.
        meanwhile: Work to do then, which tells whether it succeeded.
        once: Stop after that work.
    """
    # Its parts stop one after the other, those that work before those they need.
    stop = stopping.on_signals(2 * configured.grace_s + STOP_S, release_s=STOP_S)
    succeeded = True
    async with running(_plan(configured), stop) as what:
        shown(what)
        if meanwhile is not None:
            succeeded = await stopping.unless(stop, meanwhile(what))
        if not once:
            await stop.wait()
    return succeeded


def service_url(configured: Settings) -> str:
    """Tell where a command finds the service: as configured, else where `up` says it is."""
    noted = configured.data_dir / ADDRESS_FILE
    if not {"public_url", "port"} & configured.model_fields_set and noted.is_file():
        return noted.read_text("utf-8")
    return public_url(configured)


def bearer_token(configured: Settings, role: auth.Role) -> str:
    """Give the token that a command sends: as configured, else the role's that `up` keeps."""
    if configured.token is not None:
        return configured.token.get_secret_value()
    path = configured.data_dir / "tokens.json"
    token = administering.read_tokens(path).get(role)
    if token is None:
        raise StartRefused(
            f"no token: set MODERATION_TOKEN, or run `up`, which keeps one in {path}"
        )
    return token


def _plan(configured: Settings) -> Plan:
    own = {"MODERATION_DATABASE_URL", "MODERATION_OWNER_DATABASE_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment["MODERATION_DATA_DIR"] = str(configured.data_dir.resolve())
    return Plan(
        data_dir=configured.data_dir.resolve(),
        host=configured.host,
        port=configured.port,
        workers=configured.workers,
        local_processes=configured.local_processes,
        grace_s=configured.grace_s,
        database=database_of(configured) if configured.database_url else None,
        # What a worker would refuse is refused here, before anything is started.
        with_local=not (configured.upstream and upstreams_of(configured)),
        environment=environment,
    )


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
