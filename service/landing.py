"""
How a fetch ends: its image, what the upload does next and the fetch's own end, or nothing.

Each is fenced by the try: whoever lost the lease writes nothing at all.
"""

import asyncpg

from service import callbacks, completing, metering, reusing
from service.errors import LeaseLost
from service.store import Conn, fetches, images, quotas
from service.store.fetches import Claim


async def land(conn: Conn, claim: Claim, image: images.Image, public_url: str) -> None:
    """
    Keep the image that came, and let its upload be worked on, or follow the one that leads.

    Raises:
        LeaseLost: The try no longer holds the upload.
        QuotaExceeded: The platform has no room for so many bytes today.
    """
    async with conn.transaction():
        await _end(conn, claim, None)
        await images.add(conn, image)
        if not await _leads(conn, claim, image):
            await fetches.follow(conn, claim.upload_id, image.sha256)
            await reusing.settle_new(conn, claim.upload_id, public_url)
        standing = await quotas.standing(conn, claim.platform, claim.ruleset)
        await metering.count_fetched(conn, claim.platform, standing, len(image.data))


async def fail(conn: Conn, claim: Claim, outcome: str, reason: str, public_url: str) -> None:
    """
    End the upload without an image, held for a person, and tell the platform.

    Raises:
        LeaseLost: The try no longer holds the upload.
    """
    async with conn.transaction():
        await _end(conn, claim, reason)
        if not await fetches.fail(conn, claim.upload_id, outcome):
            raise _lost(claim)
        ended = callbacks.Ended(
            upload_id=claim.upload_id,
            platform=claim.platform,
            external_id=claim.external_id,
            ruleset=claim.ruleset,
            version=claim.version,
            state="failed",
            outcome=outcome,
            verdict="hold",
            severity=0,
            rules=(),
        )
        await completing.tell(conn, ended, public_url)


async def _leads(conn: Conn, claim: Claim, image: images.Image) -> bool:
    """Queue the upload unless another leads with the same image, which the index alone decides."""
    try:
        async with conn.transaction():
            if not await fetches.lead(conn, claim.upload_id, image.sha256):
                raise _lost(claim)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def _end(conn: Conn, claim: Claim, error: str | None) -> None:
    if not await fetches.end(conn, claim, error):
        raise _lost(claim)


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"upload {claim.upload_id} is no longer held by try {claim.attempt} at it")
