"""What benchmarks stand on: an embedded Postgres of their own that forgets nothing, migrated."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from service import log, preparing, up
from service.embedded.server import EmbeddedPostgres
from service.store.database import APPLICATION_ROLE, Database, speak_json


@dataclass(frozen=True, slots=True)
class Ground:
    """The database, its server's first process, and a connection as the tables' owner."""

    where: Database
    postgres: EmbeddedPostgres
    folder: Path
    owner: "asyncpg.Connection[asyncpg.Record]"

    @property
    def postgres_pid(self) -> int:
        """The server's first process."""
        assert self.postgres.pid is not None
        return self.postgres.pid

    @property
    def superuser_dsn(self) -> str:
        """Where a superuser finds the database."""
        return self.postgres.dsn(up.DATABASE, "postgres")


@asynccontextmanager
async def opened() -> AsyncIterator[Ground]:
    """Start the server, with the settings that `up` gives it, and make the database."""
    # Standard output is the report's.
    log.configure("console")
    with folder() as place, EmbeddedPostgres(place / "postgres") as postgres:
        where = await up.bootstrap(postgres)
        await preparing.prepare(where)
        owner = await where.connect_owner()
        try:
            await speak_json(owner)
            yield Ground(where, postgres, place, owner)
        finally:
            await owner.close()


async def another(base: Ground, name: str, *, prepared: bool) -> Database:
    """Make one more database on the same server; ``prepared``: with the service's tables."""
    superuser = await asyncpg.connect(base.superuser_dsn)
    try:
        await superuser.execute(f"CREATE DATABASE {name} OWNER {up.OWNER_ROLE}")
    finally:
        await superuser.close()
    where = Database(
        dsn=base.postgres.dsn(name, APPLICATION_ROLE),
        owner_dsn=base.postgres.dsn(name, up.OWNER_ROLE),
    )
    if prepared:
        await preparing.prepare(where)
    return where


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder that the server's account, which root's is not, can pass."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o711)
        yield place
