"""The same bytes are sent and deleted by many at once: nobody loses a picture that he needs."""

import asyncio
import itertools
import random
import time
from collections import Counter
from uuid import UUID

import pytest

from service import erasing
from service.store import Conn, Pool, images
from tests import draw, reuse
from tests.conftest import Api
from tests.erasing import check_whole, finish, orphans
from tests.flows import claims, driving
from tests.upstream import Upstream

PICTURES = [draw.png(10, 10, colour) for colour in ("red", "green")]
SENDERS = 8
LASTS_S = 3.0
AT_LEAST = 4


@pytest.mark.usefixtures("working")
async def test_sent_and_deleted_while_a_worker_works(
    api: Api, pool: Pool, owner: Conn, upstream: Upstream
) -> None:
    """Nothing is answered 5xx; every upload that is done has its pictures, and none is nobody's."""
    assert upstream.url
    until = time.monotonic() + LASTS_S
    answered: Counter[tuple[str, int]] = Counter()

    async def sender(number: int) -> None:
        choose = random.Random(number)
        for sent in itertools.count():
            # A busy machine takes longer over what has to be sent at least.
            if sent >= AT_LEAST and time.monotonic() > until:
                return
            image = choose.choice(PICTURES)
            status, body, _ = await api.platform.ask(
                "POST", "/v1/uploads", data=image, headers={"Content-Type": "image/png"}
            )
            answered["POST", status] += 1
            if choose.random() < 0.3:
                await reuse.settled(pool, UUID(body["id"]))
            if choose.random() < 0.8:
                status, _, _ = await api.platform.ask("DELETE", f"/v1/uploads/{body['id']}")
                answered["DELETE", status] += 1

    await asyncio.gather(*(sender(number) for number in range(SENDERS)))
    kept = [
        row["id"] for row in await owner.fetch("SELECT id FROM uploads WHERE state <> 'deleted'")
    ]
    for upload in kept:
        await reuse.settled(pool, upload)

    assert set(answered) == {("POST", 202), ("DELETE", 204)}
    assert min(answered.values()) > SENDERS
    assert kept
    for upload in kept:
        _, body, _ = await api.platform.ask("GET", f"/v1/uploads/{upload}")
        assert body["state"] == "done"
        for name in ("original", "edited", "thumbnail"):
            status, _, _ = await api.platform.ask("GET", body["images"][name])
            assert status == 200, (upload, name)
    await check_whole(owner)


async def test_an_image_that_is_being_stored_is_waited_for(
    pool: Pool, owner: driving.Owner
) -> None:
    """Somebody finds the bytes there and names them a moment later; they are not gone then."""
    upload = await driving.queued(pool)
    async with pool.acquire() as other, pool.acquire() as conn:
        stored = await images.get(conn, (await driving.row(owner, upload))["image_sha256"])
        begun = other.transaction()
        await begun.start()
        await images.add(other, stored)
        deleting = asyncio.create_task(erasing.erase(conn, upload, None, "test"))
        await driving.until(lambda: driving.blocked(owner), "the deletion waits")
        second = await other.fetchval(
            "INSERT INTO uploads (id, platform, image_sha256, ruleset, version)"
            " VALUES (gen_random_uuid(), 'default', $1, 'privacy', 1) RETURNING id",
            stored.sha256,
        )
        await begun.commit()
        await deleting
        assert (await images.get(conn, stored.sha256)).data == stored.data
        await erasing.erase(conn, second, None, "test")
    assert await owner.fetchval("SELECT count(*) FROM images") == 0


async def test_two_that_delete_one_leave_one_entry(pool: Pool, owner: Conn) -> None:
    """Of many at once one is the first; the others are answered like it."""
    await driving.queued(pool)
    upload = await finish(pool)

    async def erase() -> None:
        async with pool.acquire() as conn:
            await erasing.erase(conn, upload, None, "test")

    await asyncio.gather(*(erase() for _ in range(8)))
    entries = "SELECT count(*) FROM audit WHERE action = 'upload.delete'"
    assert (await owner.fetchval(entries), await orphans(owner)) == (1, 0)
    assert await owner.fetchval("SELECT min(cost_microusd) FROM attempts") == claims.PRICE
