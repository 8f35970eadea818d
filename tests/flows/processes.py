"""Real processes, as `moderation work` and `serve` start them, to be killed and stopped."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from service.store.database import Database
from tests.conftest import PRICE

ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def work(
    where: Database,
    upstream_url: str,
    *,
    lease_s: float = 2.0,
    grace_s: float = 10.0,
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
    async with _running("work", where, told | settings, says="working") as (process, _):
        yield process


@contextlib.asynccontextmanager
async def serve(
    where: Database, **settings: object
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start an API process; gives it and its address.  ``settings`` are as those of ``work``."""
    told_to = {"port": 0, "grace_s": 1, **settings}
    async with _running("serve", where, told_to, says="serving") as (process, told):
        yield process, told["address"]


@contextlib.asynccontextmanager
async def deliver(where: Database) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process that delivers callbacks, to loopback too."""
    settings = {"callback_hosts": "127.0.0.1"}
    async with _running("deliver", where, settings, says="delivering") as (process, _):
        yield process


@contextlib.asynccontextmanager
async def _running(
    role: str, where: Database, settings: Mapping[str, object], *, says: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """Run a role until the end of the block; gives it and what it said when it was ready."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
    told = {**settings, "database_url": where.dsn, "log": "json"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        role,
        cwd=ROOT,
        env=own | {f"MODERATION_{name.upper()}": str(value) for name, value in told.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[str] = []
    rest: asyncio.Task[bytes] | None = None
    try:
        while f'"{says}"' not in (line := (await process.stderr.readline()).decode()):
            assert line, f"{role} ended at its start: {lines}"
            lines.append(line)
        # Nobody needs the rest, but a full pipe would stop the process.
        rest = asyncio.create_task(process.stderr.read())
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if rest is not None:
            await rest
