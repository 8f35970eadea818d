"""What operators ask: health, readiness, metrics; and how a process leaves."""

import asyncio
import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from service.intake import Intake
from service.pictures.headers import Limits
from service.store import Conn, Pool, upstreams
from service.store.database import Database
from service.web import application
from service.web.operations import Readiness
from service.web.waiting import Waiting
from tests.conftest import Api
from tests.web import sending
from tests.web.sending import PNG


async def metrics(api: Api) -> dict[tuple[str, str], float]:
    """Read /metrics; values by name and the one label that matters."""
    status, text, headers = await api.admin.ask("GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, sample.labels.get("state") or sample.labels.get("route") or ""): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_good_process_says_ok(api: Api, path: str) -> None:
    """Both answer 200 without a token."""
    status, body, _ = await api.platform.ask("GET", path, headers={"Authorization": ""})

    assert (status, body) == (200, {"status": "ok"})


async def test_draining_is_not_ready_and_still_works(api: Api) -> None:
    """A draining process asks for no more traffic, is healthy, and serves what still comes."""
    api.readiness.draining = True

    assert (await api.admin.ask("GET", "/readyz"))[:2] == (503, {"status": "draining"})
    assert (await api.admin.ask("GET", "/healthz"))[0] == 200
    await api.platform.upload(PNG)


async def test_an_older_schema_is_not_ready(api: Api, owner: Conn) -> None:
    """A process whose code is newer than the database's schema says which level it misses."""
    api.readiness.need_level += 1

    status, body, _ = await api.admin.ask("GET", "/readyz")

    assert status == 503
    assert f"not {api.readiness.need_level}" in body["status"]
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 0


async def test_metrics_show_the_backlog(api: Api, pool: Pool) -> None:
    """Unfinished uploads are counted by state, with the age of the oldest."""
    empty = await metrics(api)
    assert empty["moderation_uploads_unfinished", "queued"] == 0
    assert empty["moderation_uploads_oldest_seconds", "queued"] == 0
    ids = [(await api.platform.upload(PNG))["id"] for _ in range(3)]
    await pool.execute("UPDATE uploads SET state = 'working' WHERE id = $1", ids[0])

    seen = await metrics(api)

    assert seen["moderation_uploads_unfinished", "queued"] == 2
    assert seen["moderation_uploads_unfinished", "working"] == 1
    assert 0 < seen["moderation_uploads_oldest_seconds", "queued"] < 60


async def test_metrics_have_no_series_for_each_path(api: Api) -> None:
    """Requests are counted under the pattern of their route, so ids make no new series."""
    for number in range(5):
        await api.platform.ask("GET", f"/v1/uploads/{number}")
        await api.platform.ask("GET", f"/nowhere/{number}")

    seen = await metrics(api)

    name = "moderation_http_request_seconds_count"
    assert seen[name, "/v1/uploads/{id}"] == 5
    assert seen[name, "none"] == 5
    assert not [route for _, route in seen if "nowhere" in route]


async def test_a_process_that_leaves_answers_those_who_wait(
    pool: Pool, where: Database, api: Api, owner: Conn, tmp_path: Path
) -> None:
    """Stopping does not sit out a wait, nor one that begins meanwhile: both answer their 202."""
    leaving = application.create(
        pool,
        Intake(pool, Limits(), "privacy", "https://example.org"),
        Waiting(pool, where),
        Readiness(0, tmp_path),
        10**6,
    )
    runner = web.AppRunner(leaving, access_log=None, shutdown_timeout=30)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    caller = dataclasses.replace(api.platform, url=f"http://127.0.0.1:{runner.addresses[0][1]}")

    async def holds(query: str) -> None:
        async def found() -> bool:
            return bool(await pool.fetchval(query))

        await sending.until(found)

    waiting = asyncio.create_task(caller.upload(PNG, Prefer="wait=60"))
    await holds("SELECT count(*) = 1 FROM uploads")
    async with owner.transaction():
        await owner.execute("LOCK TABLE uploads IN EXCLUSIVE MODE")
        committing = asyncio.create_task(caller.upload(PNG, Prefer="wait=60"))
        await holds("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
        stopping = asyncio.create_task(runner.cleanup())
        async with asyncio.timeout(10):
            assert (await waiting)["state"] == "queued"

    async with asyncio.timeout(10):
        assert (await committing)["state"] == "queued"
        await stopping


async def test_a_paused_upstream_is_shown_and_uploads_are_taken(api: Api, pool: Pool) -> None:
    """/readyz stays 200 and names who is paused and why; /metrics has it down, and up again."""
    async with pool.acquire() as conn:
        await upstreams.add(conn, "fast")
        await upstreams.failed(conn, "fast", "unauthorised", 1, timedelta(seconds=1))
        await upstreams.add(conn, "spare")

    status, body, _ = await api.admin.ask("GET", "/readyz")
    (paused,) = body["paused"]
    assert (status, body["status"]) == (200, "ok")
    assert (paused["upstream"], paused["reason"]) == ("fast", "unauthorised")
    assert datetime.fromisoformat(paused["since"]).tzinfo is not None
    assert await up(api) == {"fast": 0, "spare": 1}
    await api.platform.upload(PNG)

    async with pool.acquire() as conn:
        assert await upstreams.well(conn, "fast")
    assert (await api.admin.ask("GET", "/readyz"))[1] == {"status": "ok"}
    assert await up(api) == {"fast": 1, "spare": 1}


async def test_an_upstream_that_nobody_uses_is_shown_no_longer(api: Api, pool: Pool) -> None:
    """One that was removed from the configuration while it was down does not alarm for ever."""
    async with pool.acquire() as conn:
        await upstreams.add(conn, "old")
        await upstreams.failed(conn, "old", "unreachable", 1, timedelta(seconds=1))
    assert await up(api) == {"old": 0}

    await pool.execute("UPDATE upstreams SET seen_at = now() - interval '25 hours'")

    assert await up(api) == {}
    assert (await api.admin.ask("GET", "/readyz"))[1] == {"status": "ok"}


async def up(api: Api) -> dict[str, float]:
    """Read which upstreams /metrics says are up."""
    _, text, _ = await api.admin.ask("GET", "/metrics")
    return {
        sample.labels["upstream"]: sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == "moderation_upstream_up"
    }
