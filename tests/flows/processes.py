"""Real processes, as `moderation work` and `serve` start them, to be killed and stopped."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.store.database import Database
from tests.conftest import PRICE

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Origin:
    """The checkout whose code runs; ``said``, where given, keeps what they say once ready."""

    root: Path
    said: list[bytes] | None = None


HERE = Origin(ROOT)


@contextlib.asynccontextmanager
async def work(
    where: Database,
    upstream_url: str,
    *,
    lease_s: float = 2.0,
    grace_s: float = 10.0,
    origin: Origin = HERE,
    **settings: object,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """
    Start a worker process that works already; it is killed at the end if it still runs.

    ``settings`` are others, named as in the TOML file.
    """
    told = {
        "upstream_url": upstream_url,
        "upstream_key": "secret-key",
        "upstream_price_usd": PRICE / 1_000_000,
        "lease_s": lease_s,
        "grace_s": grace_s,
        "decoders": 1,
        "second_look": 0,
    }
    running = _running("work", where, told | settings, says="working", origin=origin)
    async with running as (process, _):
        yield process


@contextlib.asynccontextmanager
async def serve(
    where: Database, *, origin: Origin = HERE, **settings: object
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start an API process; gives it and its address.  ``settings`` are as those of ``work``."""
    told_to = {"port": 0, "grace_s": 1, **settings}
    running = _running("serve", where, told_to, says="serving", origin=origin)
    async with running as (process, told):
        yield process, told["address"]


@contextlib.asynccontextmanager
async def deliver(
    where: Database, *, origin: Origin = HERE, **settings: object
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process that delivers callbacks, to loopback too."""
    told = {"callback_hosts": "127.0.0.1", **settings}
    running = _running("deliver", where, told, says="delivering", origin=origin)
    async with running as (process, _):
        yield process


@contextlib.asynccontextmanager
async def _running(
    role: str, where: Database, settings: Mapping[str, object], *, says: str, origin: Origin
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """Run a role until the end of the block; gives it and what it said when it was ready."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
    told = {**settings, "database_url": where.dsn, "log": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        role,
        cwd=origin.root,
        env=own | {f"MODERATION_{name.upper()}": str(value) for name, value in told.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[str] = []
    rest: asyncio.Task[None] | None = None
    try:
        while f'"{says}"' not in (line := (await process.stderr.readline()).decode()):
            assert line, f"{role} ended at its start: {lines}"
            lines.append(line)
        # Nobody needs the rest, but a full pipe would stop the process.
        rest = asyncio.create_task(_keep(process.stderr, origin.said))
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if rest is not None:
            await rest


async def _keep(stderr: asyncio.StreamReader, said: list[bytes] | None) -> None:
    while some := await stderr.read(65_536):
        if said is not None:
            said.append(some)
