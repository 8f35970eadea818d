"""Deleting an upload: all that shows or describes its picture is gone when it is answered."""

from uuid import UUID

from service import log
from service.errors import InputRefused
from service.store import Conn, erasures


async def erase(conn: Conn, upload: UUID, platform: str | None, actor: str) -> None:
    """
    Delete an upload in any state, and every picture of it that nothing else needs.

    Deleting it again changes nothing, and goes on with what the first time did not come to.

    Args:
        platform: Whose it must be; None may be anybody's.
        actor: Who deletes it, as the audit trail names him.

    Raises:
        InputRefused: ``not_found``.
    """
    async with conn.transaction():
        was = await erasures.erase(conn, upload, platform, actor)
    if was is None:
        raise InputRefused("not_found", f"there is no upload {upload}")
    removed = await finish(conn, upload)
    if was != "deleted":
        log.get().info("upload_deleted", upload_id=str(upload), actor=actor, images=removed)


async def finish(conn: Conn, upload: UUID) -> int:
    """
    Remove the pictures of a deleted upload that nothing names any more; tell how many went.

    Each goes in a transaction of its own, since it waits for those who are storing the same bytes:
    whoever waited so for several could wait for somebody who waits for him.
    """
    digests = await erasures.images(conn, upload)
    removed = sum([await erasures.forget_image(conn, one) for one in digests])
    await erasures.finished(conn, upload)
    return removed
