"""Edited pictures that were paid for and whose descriptions did not hold, until one does."""

from dataclasses import dataclass
from uuid import UUID

from service.store import Conn

# The first one stays: later attempts ask for its description only, or for a whole new edit.
_ADD = """
    INSERT INTO kept_edits (upload_id, attempt, edited_sha256, thumbnail_sha256, faults, accused)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
"""
_GET = """
    SELECT attempt, edited_sha256, thumbnail_sha256, faults, accused
      FROM kept_edits WHERE upload_id = $1
"""


@dataclass(frozen=True, slots=True)
class KeptEdit:
    """
    The digests of the edited picture and its thumbnail, and the attempt that brought them.

    ``faults`` are the validator's reasons against the description; empty if there was none.
    ``accused``: it named a rule, however wrong it was.
    """

    attempt: int
    edited_sha256: bytes
    thumbnail_sha256: bytes
    faults: list[str]
    accused: bool


async def add(conn: Conn, upload: UUID, kept: KeptEdit) -> None:
    """Keep an edit whose images are stored."""
    await conn.execute(
        _ADD,
        upload,
        kept.attempt,
        kept.edited_sha256,
        kept.thumbnail_sha256,
        kept.faults,
        kept.accused,
    )


async def get(conn: Conn, upload: UUID) -> KeptEdit | None:
    """Give the upload's kept edit, if it has one."""
    row = await conn.fetchrow(_GET, upload)
    return KeptEdit(**row) if row else None
