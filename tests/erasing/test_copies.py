"""Every copy of what a deleted upload showed or said is gone, wherever it was kept."""

import asyncio
from uuid import UUID

import pytest

from service import auditing, erasing
from service.store import Conn, Pool, idempotency
from tests import draw
from tests.conftest import Api
from tests.erasing import (
    MARK,
    books,
    check_whole,
    finish,
    pictures_of,
    places_of,
)
from tests.flows import claims, driving
from tests.web import sending
from tests.web.sending import in_json

IMAGE = draw.png(40, 30, "purple")
KEY = {"Idempotency-Key": "order-1", "Content-Type": "application/json"}
PLACES = {
    *("attempts", "case_words", "idempotency_keys", "kept_edits", "proofs", "records", "uploads"),
}
# Digests of what was sent and shown are the ledger's.
NAMES = {
    "uploads.image_sha256",
    "uploads.canonical_sha256",
    "records.edited_sha256",
    "records.thumbnail_sha256",
    "records.raw_sha256",
    "kept_edits.edited_sha256",
    "kept_edits.thumbnail_sha256",
    "proofs.heat_sha256",
}
SENT = in_json(IMAGE, external_id="no 1", metadata={"caption": MARK})


async def posted(api: Api, pool: Pool) -> UUID:
    """Post an image under a key, wait for its end, and let it be worked on meanwhile."""
    answer = asyncio.create_task(
        api.platform.ask("POST", "/v1/uploads", data=SENT, headers={**KEY, "Prefer": "wait=30"})
    )
    async with asyncio.timeout(30):
        while not await pool.fetchval("SELECT count(*) FROM uploads"):
            await asyncio.sleep(0.01)
    upload = await finish(pool)
    status, body, _ = await answer
    assert (status, body["state"]) == (200, "done")
    return upload


@pytest.fixture
async def upload(api: Api, pool: Pool) -> UUID:
    """An upload that is done, with a copy of its words wherever one is kept."""
    return await posted(api, pool)


async def test_of_picture_and_words_nothing_is_left(api: Api, owner: Conn, upload: UUID) -> None:
    """Found in every place before, neither is found in any table after 204; the sums stay."""
    pictures = await pictures_of(owner, upload)
    assert set(pictures) == NAMES
    assert await places_of(owner, MARK.encode()) == PLACES
    for piece in pictures.values():
        assert await places_of(owner, piece) == {"images"}
    spent = await books(owner)

    status, _, _ = await api.platform.ask("DELETE", f"/v1/uploads/{upload}")

    assert status == 204
    assert await places_of(owner, MARK.encode()) == set()
    for place, piece in pictures.items():
        assert await places_of(owner, piece) == set(), place
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
    assert await owner.fetchval("SELECT count(*) FROM erasures") == 0
    assert await owner.fetchval("SELECT sum(cases) FROM case_counts") == 0
    assert await owner.fetchval("SELECT sum(cases) FROM rule_counts") == 0
    assert await books(owner) == spent
    await check_whole(owner)


async def test_the_tombstone_tells_what_it_came_to(api: Api, owner: Conn, upload: UUID) -> None:
    """Its state is ``deleted``; outcome, verdict, cost and the sender's name for it stay."""
    await api.platform.ask("DELETE", f"/v1/uploads/{upload}")

    status, body, _ = await api.platform.ask("GET", f"/v1/uploads/{upload}")
    assert status == 200
    assert (body["state"], body["outcome"], body["verdict"]) == (
        *("deleted", "redacted", "allow_edited"),
    )
    assert body["external_id"] == "no 1"
    assert (body["description"], body["proof"], body["fetch"]) == (None, None, None)
    assert (body["metadata"], set(body["images"].values())) == ({}, {None})
    assert [(one["cost_microusd"], one["detail"]) for one in body["attempts"]] == [
        (claims.PRICE, None)
    ] * 2
    _, gate, _ = await api.platform.ask("GET", f"/v1/uploads/{upload}/gate")
    assert (gate["gate"], gate["edited"]) == ("hold", None)
    for name in ("original", "edited", "thumbnail", "raw", "heat"):
        answer = await api.platform.ask("GET", f"/v1/uploads/{upload}/images/{name}")
        sending.check_problem(answer, 410, "deleted", name)
    _, page, _ = await api.moderator.ask("GET", "/v1/records")
    assert page["items"] == []
    assert await owner.fetchval("SELECT image_sha256 FROM uploads") is None


async def test_deleting_again_changes_nothing(api: Api, owner: Conn, upload: UUID) -> None:
    """Each time is answered 204, and the trail has one entry, by who came first."""
    for caller in (api.platform, api.platform, api.admin):
        assert (await caller.ask("DELETE", f"/v1/uploads/{upload}"))[0] == 204

    (entry,) = await owner.fetch("SELECT * FROM audit WHERE action = 'upload.delete'")
    platform = await owner.fetchval("SELECT id FROM tokens WHERE role = 'platform'")
    assert (entry["actor"], entry["subject"]) == (f"token:{platform}", str(upload))
    assert entry["detail"] == {"platform": "default", "state": "done"}
    assert (await auditing.verify(owner)).broken is None


async def test_a_repeated_key_tells_that_it_was_deleted(
    api: Api, owner: Conn, upload: UUID
) -> None:
    """It makes no second upload and repeats no word of the first answer."""
    await api.platform.ask("DELETE", f"/v1/uploads/{upload}")

    status, body, headers = await api.platform.ask("POST", "/v1/uploads", data=SENT, headers=KEY)

    assert (status, body["id"], body["state"]) == (200, str(upload), "deleted")
    assert headers["Location"] == f"/v1/uploads/{upload}"
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 1


async def test_a_late_answer_is_not_remembered(pool: Pool, owner: Conn, upload: UUID) -> None:
    """A request that read the upload before it was deleted cannot bring its words back."""
    async with pool.acquire() as conn:
        await erasing.erase(conn, upload, None, "test")
        await idempotency.replace(conn, "default", "order-1", 200, f"the {MARK}")
        assert await conn.fetchval("SELECT body FROM idempotency_keys") == ""
    assert await places_of(owner, MARK.encode()) == set()


async def test_pictures_that_others_need_stay(pool: Pool, owner: Conn) -> None:
    """The same bytes of another platform are kept until the last upload of them is deleted."""
    uploads = [await driving.queued(pool, IMAGE, platform=one) for one in ("one", "two")]
    async with pool.acquire() as conn:
        await erasing.erase(conn, uploads[0], None, "test")
        assert await owner.fetchval("SELECT count(*) FROM images") == 1
        await erasing.erase(conn, uploads[1], None, "test")
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
