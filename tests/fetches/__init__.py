"""Images that are fetched: how the tests tell of them, let them be fetched, and look at the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from aiohttp import web

from service import enrolling, hooks
from service.fetching import Fetcher
from service.gathering import Gatherer, Room
from service.hooks.stores import FetchingSettings
from service.intake import Accepted, Intake, Received
from service.pictures import headers
from service.store import Pool, platforms
from service.store.database import Database
from tests.edits.site import Handler
from tests.flows import driving
from tests.flows.driving import PUBLIC_URL, Owner

HOSTS = ("127.0.0.1",)


@contextlib.asynccontextmanager
async def gathering(
    pool: Pool,
    where: Database,
    hosts: tuple[str, ...] = HOSTS,
    limits: headers.Limits | None = None,
    room: Room | None = None,
) -> AsyncIterator[Gatherer]:
    """Fetch what is due until the end of the block."""
    stop = asyncio.Event()
    async with Fetcher() as fetcher:
        gatherer = Gatherer(pool, where, fetcher, hosts, PUBLIC_URL, limits=limits, room=room)
        task = asyncio.create_task(gatherer.run(stop))
        try:
            yield gatherer
        finally:
            stop.set()
            await task


async def told(
    pool: Pool, image: hooks.Source | str, platform: str = "default", hosts: tuple[str, ...] = HOSTS
) -> UUID:
    """Tell of an image (an address, if it is a str) as the API does; give the upload's id."""
    async with pool.acquire() as conn:
        await platforms.add(conn, platform)
    intake = Intake(pool, headers.Limits(), "privacy", PUBLIC_URL, hosts)
    source = hooks.Link(image) if isinstance(image, str) else image
    received = Received(source, None, None, {})
    accepted = await intake.accept(platform, received, key=None, answer=lambda _: "")
    assert isinstance(accepted, Accepted)
    return accepted.upload.id


async def set_fetching(pool: Pool, settings: Mapping[str, Any], platform: str = "default") -> None:
    """Set what may be fetched for a platform, as an administrator does."""
    async with pool.acquire() as conn:
        await enrolling.ensure(conn, platform, "test")
        model = FetchingSettings.model_validate(settings)
        await enrolling.change(conn, platform, {"fetching": model}, "test")


async def fetch_of(conn: Owner, upload: UUID) -> asyncpg.Record:
    """Read the upload's fetch, with the seconds until it is due."""
    row = await conn.fetchrow(
        "SELECT *, extract(epoch FROM due_at - now())::float8 AS due_in_s FROM fetches "
        "WHERE upload_id = $1",
        upload,
    )
    assert row is not None
    return row


async def tried(owner: Owner, gatherer: Gatherer, upload: UUID, tries: int) -> asyncpg.Record:
    """Wait until so many tries have failed and none is under way, and give the fetch."""

    async def noted() -> bool:
        row = await fetch_of(owner, upload)
        return (
            row["tries"] == tries and row["error"] is not None and not gatherer._taking._under_way
        )

    await driving.until(noted, f"try {tries} of {upload} was noted")
    return await fetch_of(owner, upload)


async def hurry(owner: Owner) -> None:
    """Make all that is put off, or held by the dead, due now."""
    await owner.execute("UPDATE fetches SET due_at = now() WHERE ended_at IS NULL")
    await owner.execute("SELECT pg_notify('fetches_due', '')")


async def come(owner: Owner, *uploads: UUID) -> list[asyncpg.Record]:
    """Wait until none of these waits for its image, and give their rows."""

    async def all_came() -> bool:
        return not await owner.fetchval(
            "SELECT count(*) FROM uploads WHERE id = ANY ($1) AND waiting_for = 'fetch'",
            list(uploads),
        )

    await driving.until(all_came, "every fetch has ended")
    return [await driving.row(owner, upload) for upload in uploads]


def by_path(answers: Mapping[str, Handler]) -> Handler:
    """Answer each path in its own way."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await answers[request.path](request)

    return answer
