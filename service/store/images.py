"""Image bytes, stored once by their sha256; the only place that reads or writes them."""

from dataclasses import dataclass

from service.store import Conn

_ADD = """
    INSERT INTO images (sha256, mime, width, height, frames, data)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (sha256) DO NOTHING
"""
_GET = "SELECT sha256, mime, width, height, frames, data FROM images WHERE sha256 = $1"


@dataclass(frozen=True, slots=True)
class Image:
    """
    Bytes and what is known of them; ``sha256`` is the raw 32-byte digest of ``data``.

    ``frames`` are those of a received file, or as many of its file's as a canonical picture shows.
    """

    sha256: bytes
    mime: str
    width: int
    height: int
    frames: int
    data: bytes


async def add(conn: Conn, image: Image) -> None:
    """Store the image unless the same bytes are there already."""
    await conn.execute(
        _ADD, image.sha256, image.mime, image.width, image.height, image.frames, image.data
    )


async def get(conn: Conn, sha256: bytes) -> Image:
    """Read an image that a foreign key says is there."""
    row = await conn.fetchrow(_GET, sha256)
    if row is None:
        raise LookupError(f"image {sha256.hex()} is not stored")
    return Image(**row)
