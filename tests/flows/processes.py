"""Real worker processes, as `moderation work` starts them, for tests that kill and stop them."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
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
    own = {name: value for name, value in os.environ.items() if not name.startswith("MODERATION_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "work",
        cwd=ROOT,
        env=own
        | {
            "MODERATION_DATABASE_URL": where.dsn,
            "MODERATION_UPSTREAM_URL": upstream_url,
            "MODERATION_UPSTREAM_KEY": "secret-key",
            "MODERATION_UPSTREAM_PRICE_USD": str(PRICE / 1_000_000),
            "MODERATION_LEASE_S": str(lease_s),
            "MODERATION_GRACE_S": str(grace_s),
            "MODERATION_DECODERS": "1",
            "MODERATION_LOG": "json",
        }
        | {f"MODERATION_{name.upper()}": str(value) for name, value in settings.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[str] = []
    rest: asyncio.Task[bytes] | None = None
    try:
        while '"working"' not in (line := (await process.stderr.readline()).decode()):
            assert line, f"the worker ended at its start: {lines}"
            lines.append(line)
        # Nobody needs the rest, but a full pipe would stop the process.
        rest = asyncio.create_task(process.stderr.read())
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if rest is not None:
            await rest
