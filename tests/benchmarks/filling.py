"""Uploads put straight into the queue, and the wait until all of them have ended."""

import asyncio
from collections.abc import Sequence
from typing import Final

from service import ids, inspecting
from service.pictures import headers
from service.store import Conn, images, rulesets, uploads

PLATFORM: Final = "benchmark"
_POLL_S: Final = 0.02
_OPEN: Final = "SELECT count(*) FROM uploads WHERE state IN ('queued', 'working')"
_OTHERS: Final = """
    SELECT u.state, u.outcome, p.facts ->> 'verdict' AS proof, count(*) AS uploads
      FROM uploads AS u LEFT JOIN proofs AS p ON p.upload_id = u.id
     WHERE u.state <> 'done' OR p.facts ->> 'verdict' IS DISTINCT FROM 'proven'
     GROUP BY u.state, u.outcome, proof
"""


async def add(conn: Conn, files: Sequence[bytes], ruleset: str, platform: str = PLATFORM) -> None:
    """Queue pictures as uploads, in the caller's transaction, so that all are due at its commit."""
    await conn.execute("INSERT INTO platforms (name) VALUES ($1) ON CONFLICT DO NOTHING", platform)
    version = await rulesets.live(conn, ruleset)
    assert version is not None, f"no version of {ruleset} is live"
    for file in files:
        image = inspecting.inspect(file, headers.Limits())
        await images.add(conn, image)
        upload = uploads.NewUpload(
            id=ids.uuid7(),
            platform=platform,
            external_id=None,
            metadata={},
            image_sha256=image.sha256,
            ruleset=ruleset,
            version=version,
        )
        await uploads.add(conn, upload)


async def ended(conn: Conn, limit_s: float) -> None:
    """Wait until nothing is queued or worked on."""
    async with asyncio.timeout(limit_s):
        while await conn.fetchval(_OPEN):
            await asyncio.sleep(_POLL_S)


async def check(conn: Conn) -> None:
    """See that all uploads are done, and their edits proven."""
    others = [dict(row) for row in await conn.fetch(_OTHERS)]
    assert not others, f"uploads ended otherwise than as done and proven: {others}"
