"""An API whose undo window is short, people who use it, and cases that wait for them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from service import administering, auth
from service.intake import Intake
from service.pictures import headers
from service.reviewing import Terms
from service.store import Pool
from service.store.database import Database
from service.web import application
from service.web.operations import Readiness
from service.web.waiting import Waiting
from tests.conftest import Api, Caller
from tests.reviews.people import People


@pytest.fixture
def terms() -> Terms:
    """How long things take here: nothing is due by itself while a test looks."""
    return Terms(undo=timedelta(minutes=5))


@pytest.fixture
async def api(pool: Pool, where: Database, tmp_path: Path, terms: Terms) -> AsyncIterator[Api]:
    """The API on a real socket, with these terms."""
    limits = headers.Limits()
    readiness = Readiness(0, tmp_path)
    app = application.create(
        pool,
        Intake(pool, limits, "privacy", "https://example.org"),
        Waiting(pool, where),
        readiness,
        limits.max_bytes,
        terms=terms,
    )
    async with pool.acquire() as conn:
        tokens = await administering.first_tokens(conn, tmp_path / "tokens.json")
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        callers = {role: Caller(session, url, tokens[role]) for role in auth.ROLES}
        yield Api(url, readiness, **callers)


@pytest.fixture
def people(api: Api, pool: Pool) -> People:
    """Who makes moderators."""
    return People(api, pool)
