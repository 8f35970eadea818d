"""The main job through every dialect: what the model is sent, and that nothing else differs."""

import asyncio
from datetime import timedelta

import pytest

from service.attempting import Attempting
from service.edits.client import DIALECTS, EditsClient
from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from service.worker import Pace, Worker
from tests import draw
from tests.conftest import Api, configured
from tests.upstream import Upstream, described, finding


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_main_job_in_every_dialect(
    dialect: str, api: Api, upstream: Upstream, pool: Pool, where: Database, decoders: Decoders
) -> None:
    """The whole prompt and the canonical picture arrive byte for byte, and the upload is done."""
    upstream.script = [described(findings=[finding("bystander-faces")])]
    one = configured(upstream.url, dialect=dialect)
    stop = asyncio.Event()
    async with EditsClient() as client:
        attempting = Attempting(pool, decoders, client, [one], "https://example.org")
        worker = Worker(pool, where, attempting, Pace(2, timedelta(seconds=4), 5.0))
        task = asyncio.create_task(worker.run(stop))
        accepted = await api.platform.upload(draw.png(64, 48, "teal"))
        done = await api.platform.upload_until(accepted["id"], ("done", "failed"))
        stop.set()
        await task

    (call,) = upstream.calls
    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    assert call.prompt == await pool.fetchval(
        "SELECT prompt FROM ruleset_versions WHERE ruleset = 'privacy'"
    )
    assert call.image == (await api.platform.ask("GET", done["images"]["original"]))[1]
