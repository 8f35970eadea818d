"""A service with cases and a browser, outside of pytest: for measuring and for looking."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, async_playwright

from service import administering, auth, preparing, up
from service.embedded.server import EmbeddedPostgres
from service.intake import Intake
from service.pictures import headers
from service.store import Pool, migrations
from service.web import application
from service.web.operations import Readiness
from service.web.waiting import Waiting
from tests.browser import install
from tests.conftest import Api, Caller, _serving


@dataclass(frozen=True, slots=True)
class Stage:
    """What is there: the API with a caller for each role, its database, and a browser."""

    api: Api
    pool: Pool
    browser: Browser


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Stage]:
    """Open all of it, with an empty database."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = EmbeddedPostgres(folder / "postgres", settings={"fsync": "off"})
        await asyncio.to_thread(postgres.start)
        stack.push_async_callback(asyncio.to_thread, postgres.stop)
        where = await up.bootstrap(postgres)
        await preparing.prepare(where)
        pool = await where.pool(size=10, name="stage")
        stack.push_async_callback(pool.close)
        limits = headers.Limits()
        needed = migrations.read(Path(__file__).parents[2] / "migrations")
        readiness = Readiness(needed[-1].version, folder)
        intake = Intake(pool, limits, "privacy", "https://example.org")
        app = application.create(pool, intake, Waiting(pool, where), readiness, limits.max_bytes)
        async with pool.acquire() as conn:
            tokens = await administering.first_tokens(conn, folder / "tokens.json")
        url = await stack.enter_async_context(_serving(app, auto_decompress=False))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        callers = {role: Caller(session, url, tokens[role]) for role in auth.ROLES}
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=install.chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield Stage(Api(url, readiness, **callers), pool, browser)
