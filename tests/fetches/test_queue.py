"""The queue of fetches: what dies, stops, hangs or comes twice harms nothing and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from service.store import Pool
from service.store.database import Database
from tests import draw, fetches, reuse
from tests.edits.site import Site, gives, serving
from tests.flows import claims, driving, processes
from tests.flows.driving import TEAL, Owner
from tests.upstream import Upstream

FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON images EXECUTE FUNCTION full_disk();
"""


@dataclass(slots=True)
class Slow:
    """Answers nothing until it is let go; counts who waits, now and at most."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    most: int = 0

    async def answer(self, _: web.Request) -> web.StreamResponse:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self.gone.wait()
        finally:
            self.waiting -= 1
        return web.Response(body=TEAL)

    async def met(self) -> bool:
        return self.waiting > 0


@asynccontextmanager
async def slow_site() -> AsyncIterator[tuple[Site, Slow]]:
    """A site that hangs at / and gives the picture elsewhere."""
    slow = Slow()
    async with serving(Site([fetches.by_path({"/": slow.answer, "/fast": gives(TEAL)})])) as site:
        try:
            yield site, slow
        finally:
            slow.gone.set()


@pytest.mark.usefixtures("working")
async def test_one_address_told_of_twenty_times_costs_one_call(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """Each is fetched; the index lets one lead, and all the others have its result."""
    async with serving(Site([gives(TEAL)])) as site:
        async with fetches.gathering(pool, where):
            ids = [await fetches.told(pool, site.url) for _ in range(20)]
            await driving.ended(owner, *ids)
        assert len(site.asked) == 20
    assert await reuse.ends(owner) == {
        ("done", "clean", False): 1,
        ("done", "clean", True): 19,
    }
    await reuse.check_paid_once(owner, upstream.calls)
    for upload in ids:
        await driving.message_of(owner, upload)


async def test_image_that_was_judged_before_ends_with_its_fetch(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """One that was sent as bytes leads the same one fetched later, unless reuse is off."""
    claim = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
    async with serving(Site([gives(TEAL)])) as site, fetches.gathering(pool, where):
        (copy,) = await fetches.come(owner, await fetches.told(pool, site.url))
        await owner.execute("UPDATE platforms SET reuse = false")
        (own,) = await fetches.come(owner, await fetches.told(pool, site.url))
    assert (copy["state"], copy["reused_from"]) == ("done", claim.id)
    assert (own["state"], own["waiting_for"], own["leads"]) == ("queued", None, False)
    await driving.message_of(owner, copy["id"])


async def test_slow_host_of_one_platform_delays_no_other(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """While ten images of one platform hang, two at a time, those of another come at once."""
    async with slow_site() as (site, slow), fetches.gathering(pool, where):
        hanging = [await fetches.told(pool, site.url, "slow") for _ in range(10)]
        await driving.until(slow.met, "the slow host was asked")
        others = [await fetches.told(pool, f"{site.url}/fast", "quick") for _ in range(10)]
        assert all(row["image_sha256"] for row in await fetches.come(owner, *others))
        assert await owner.fetchval(
            "SELECT count(*) = 10 FROM uploads WHERE platform = 'slow' AND waiting_for = 'fetch'"
        )
        slow.gone.set()
        await fetches.come(owner, *hanging)
        assert slow.most == 2


async def test_killed_process_loses_no_image(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """The try of a process that was killed is counted, and made again when its lease is over."""
    async with slow_site() as (site, slow):
        upload = await fetches.told(pool, site.url)
        async with processes.work(where, upstream.url, fetch_hosts="127.0.0.1") as process:
            await driving.until(slow.met, "the fetch is under way")
            process.kill()
            await process.wait()
        fetch = await fetches.fetch_of(owner, upload)
        assert (fetch["ended_at"], fetch["tries"]) == (None, 1)
        assert 30 < fetch["due_in_s"] <= 60
        slow.gone.set()
        await fetches.hurry(owner)
        async with fetches.gathering(pool, where):
            (row,) = await fetches.come(owner, upload)
    assert row["image_sha256"] is not None
    fetch = await fetches.fetch_of(owner, upload)
    assert (fetch["attempt"], fetch["tries"]) == (2, 2)


async def test_fetch_that_kills_each_time_comes_to_an_end(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """After six tries that nobody ended, no seventh is made."""
    async with serving(Site([gives(TEAL)])) as site:
        upload = await fetches.told(pool, site.url)
        await owner.execute("UPDATE fetches SET tries = 6, attempt = 6")
        async with fetches.gathering(pool, where):
            (row,) = await fetches.come(owner, upload)
        assert (row["outcome"], site.asked) == ("not_fetched", [])
    assert "died" in (await fetches.fetch_of(owner, upload))["error"]
    await driving.message_of(owner, upload)


async def test_stopped_process_releases_at_once(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream
) -> None:
    """SIGTERM in the middle of a fetch leaves it due now, with no try counted."""
    async with slow_site() as (site, slow):
        upload = await fetches.told(pool, site.url)
        async with processes.work(where, upstream.url, fetch_hosts="127.0.0.1") as process:
            await driving.until(slow.met, "the fetch is under way")
            process.terminate()
            async with asyncio.timeout(20):
                assert await process.wait() == 0
        fetch = await fetches.fetch_of(owner, upload)
    assert (fetch["ended_at"], fetch["attempt"], fetch["tries"]) == (None, 1, 0)
    assert fetch["due_in_s"] <= 0


async def test_late_try_writes_nothing(pool: Pool, where: Database, owner: Owner) -> None:
    """A process that was thought dead finds that another has ended the fetch."""
    async with slow_site() as (site, slow):
        upload = await fetches.told(pool, site.url)
        async with fetches.gathering(pool, where):
            await driving.until(slow.met, "the fetch is under way")
            await owner.execute("UPDATE fetches SET attempt = attempt + 1, error = 'held'")
            slow.gone.set()

            async def asked() -> bool:
                return slow.waiting == 0

            await driving.until(asked, "the late try was answered")
    row, fetch = await driving.row(owner, upload), await fetches.fetch_of(owner, upload)
    assert (row["waiting_for"], row["image_sha256"]) == ("fetch", None)
    assert (fetch["ended_at"], fetch["error"]) == (None, "held")


async def test_fault_of_our_own_counts_as_no_try(pool: Pool, where: Database, owner: Owner) -> None:
    """While the database has no disk the fetch is put off uncounted; then the image comes."""
    await owner.execute(FULL)
    async with serving(Site([gives(TEAL)])) as site, fetches.gathering(pool, where) as gatherer:
        upload = await fetches.told(pool, site.url)

        async def released() -> bool:
            fetch = await fetches.fetch_of(owner, upload)
            return fetch["attempt"] >= 1 and fetch["tries"] == 0 and not gatherer._taking._under_way

        await driving.until(released, "the try was given back")
        await owner.execute("DROP TRIGGER full_disk ON images")
        await fetches.hurry(owner)
        (row,) = await fetches.come(owner, upload)
    assert row["image_sha256"] is not None
    assert (await fetches.fetch_of(owner, upload))["tries"] == 1


async def test_different_pictures_of_one_platform_all_lead(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """Only the same bytes follow: each other picture is worked on for itself."""
    pictures = {f"/{n}": gives(draw.png(n, 8, "teal")) for n in range(1, 13)}
    site = Site([fetches.by_path(pictures)])
    async with serving(site), fetches.gathering(pool, where):
        ids = [await fetches.told(pool, site.url + path) for path in pictures]
        rows = await fetches.come(owner, *ids)
    assert {(row["state"], row["waiting_for"], row["leads"]) for row in rows} == {
        ("queued", None, True)
    }
