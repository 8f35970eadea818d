"""Uploads of one picture: how the tests queue them, end the first one, and count what came."""

import json
from collections import Counter
from typing import Any
from uuid import UUID

from service import completing, ids, reusing
from service.store import Conn, Pool, arrivals, images, uploads
from service.web import models
from tests.conftest import PRICE
from tests.flows import claims, driving
from tests.flows.driving import Owner
from tests.upstream import Call

_ENDS = """
    SELECT state, outcome, reused_from IS NOT NULL AS reused, count(*) AS n
      FROM uploads GROUP BY 1, 2, 3
"""
_SPENT = (
    "SELECT sum(spent_microusd)::bigint FROM spending WHERE scope = 'global' AND period = 'month'"
)


async def several(pool: Pool, count: int) -> list[UUID]:
    """Queue the same picture so often."""
    return [await driving.queued(pool, external_id=f"no {number}") for number in range(count)]


async def claimed(pool: Pool) -> uploads.Claim:
    """Queue the picture, claim it, and enter the attempt at it."""
    await driving.queued(pool)
    async with pool.acquire() as conn:
        (claim,) = await uploads.claim(conn, 1, claims.MINUTE)
        await claims.entered(conn, claim)
    return claim


async def fail(pool: Pool, claim: uploads.Claim, outcome: str) -> None:
    """End the attempt and its upload so."""
    async with pool.acquire() as conn:
        await completing.fail(conn, claim, outcome, claims.completion(outcome), claims.URL)


async def settle(pool: Pool) -> int:
    """Do once what workers do each second."""
    async with pool.acquire() as conn:
        return await reusing.settle(conn, claims.URL)


async def settled(pool: Pool, upload: UUID) -> None:
    """Wait until a worker has ended the upload, hurrying nothing."""

    async def ended() -> bool:
        async with pool.acquire() as conn:
            return bool(await uploads.finished_of(conn, [upload]))

    await driving.until(ended, f"upload {upload} has ended")


async def shown(pool: Pool, upload: UUID) -> dict[str, Any]:
    """Show the upload as the API does."""
    async with pool.acquire() as conn:
        row = await uploads.get(conn, upload, None)
    assert row is not None
    return models.of_row(row).model_dump(mode="json")


async def ends(owner: Owner) -> dict[tuple[str, str | None, bool], int]:
    """Count the uploads by state, outcome, and whether they have another's result."""
    rows = await owner.fetch(_ENDS)
    return {(row["state"], row["outcome"], row["reused"]): row["n"] for row in rows}


async def check_paid_once(owner: Owner, calls: list[Call]) -> None:
    """Check that one call was made and paid for, and every upload was told of once."""
    assert len(calls) == 1
    assert await owner.fetchval("SELECT count(*) FROM attempts") == 1
    assert await owner.fetchval(_SPENT) == PRICE
    await check_told_once(owner)


async def check_told_once(owner: Owner) -> None:
    """Check that each upload has ended and has one callback, which is about it."""
    known = {str(row["id"]): row["external_id"] for row in await owner.fetch("TABLE uploads")}
    told = [json.loads(row["body"])["data"] for row in await owner.fetch("TABLE callbacks")]
    assert Counter(one["id"] for one in told) == Counter(known.keys())
    assert {one["id"]: one["external_id"] for one in told} == known


async def delete(conn: Conn, upload: UUID) -> None:
    """Leave the tombstone of an upload that is done."""
    async with conn.transaction():
        await conn.execute("DELETE FROM records WHERE upload_id = $1", upload)
        await conn.execute("UPDATE uploads SET state = 'deleted' WHERE id = $1", upload)


async def again(conn: Conn) -> tuple[UUID, bool]:
    """Let the picture that is stored arrive again; give its upload and whether that follows."""
    row = await conn.fetchrow("SELECT image_sha256, version FROM uploads ORDER BY id LIMIT 1")
    assert row is not None
    image = await images.get(conn, row["image_sha256"])
    upload = uploads.NewUpload(
        ids.uuid7(), "default", None, {}, image.sha256, "privacy", row["version"]
    )
    return upload.id, (await arrivals.add(conn, upload, image)).follows


async def waiting(owner: Owner) -> int:
    """Count the followers."""
    return int(await owner.fetchval("SELECT count(*) FROM uploads WHERE waiting_for = 'reuse'"))


async def follower(conn: Conn) -> None:
    """Make an upload of the picture wait, whether or not the first one has ended."""
    _, follows = await again(conn)
    assert follows
