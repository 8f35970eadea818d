"""Image bytes, stored once by their sha256; the only place that reads or writes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from service.store import Conn

_COLUMNS = ("sha256", "mime", "width", "height", "frames", "data")
_KEEP_CANONICAL = """
    WITH held AS (
        UPDATE uploads SET canonical_sha256 = $3
         WHERE id = $1 AND attempt = $2 AND state = 'working'
     RETURNING id),
    stored AS (
        INSERT INTO images (sha256, mime, width, height, frames, data)
        SELECT $3, $4, $5, $6, $7, $8 FROM held
            ON CONFLICT (sha256) DO NOTHING)
    SELECT id FROM held
"""
_REREAD = """
    WITH page AS MATERIALIZED (
        SELECT sha256, sha256(data) AS found FROM images
         WHERE sha256 > $1 ORDER BY sha256 LIMIT $2)
    SELECT (SELECT sha256 FROM page ORDER BY sha256 DESC LIMIT 1) AS last,
           (SELECT coalesce(array_agg(sha256), '{}') FROM page WHERE found <> sha256) AS damaged
"""
_GET = "SELECT sha256, mime, width, height, frames, data FROM images WHERE sha256 = $1"
_FRAMES = "SELECT frames FROM images WHERE sha256 = $1"


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
    await add_all(conn, (image,))


async def add_all(conn: Conn, added: Iterable[Image]) -> None:
    """Store each of some images like ``add``, in one round trip."""
    # Those who store the same ones at once wait for each other in this order, never in a circle.
    ordered = sorted(added, key=lambda one: one.sha256)
    await conn.execute(insertion(len(ordered)), *(value for one in ordered for value in row(one)))


@cache
def insertion(count: int, first: int = 1) -> str:
    """
    Spell the statement that stores so many images like ``add``, or a part of a larger one.

    The parameters, of which the first has this number, are the values of ``row`` for each.  Its
    rows are spelt out: asyncpg would ask for the types of arrays in the caller's transaction.
    """
    width = len(_COLUMNS)
    rows = (
        ", ".join(f"${at}" for at in range(start, start + width))
        for start in range(first, first + count * width, width)
    )
    return f"""
        INSERT INTO images ({", ".join(_COLUMNS)})
        VALUES {", ".join(f"({row})" for row in rows)}
            ON CONFLICT (sha256) DO NOTHING
    """  # noqa: S608  # what stands in it are constants


def row(image: Image) -> list[object]:
    """List an image's values in the order of ``insertion``."""
    return [getattr(image, name) for name in _COLUMNS]


async def keep_canonical(conn: Conn, upload: UUID, attempt: int, canonical: Image) -> bool:
    """Store an upload's canonical picture; False if the attempt no longer holds the upload."""
    kept = await conn.fetchval(_KEEP_CANONICAL, upload, attempt, *row(canonical))
    return kept is not None


async def frames(conn: Conn, sha256: bytes) -> int:
    """Tell the frames of an image that a foreign key says is there."""
    return int(await conn.fetchval(_FRAMES, sha256))


async def get(conn: Conn, sha256: bytes) -> Image:
    """Read an image that a foreign key says is there."""
    row = await conn.fetchrow(_GET, sha256)
    if row is None:
        raise LookupError(f"image {sha256.hex()} is not stored")
    return Image(**row)


async def reread(conn: Conn, after: bytes, limit: int) -> tuple[bytes | None, list[bytes]]:
    """
    Digest the next ``limit`` images behind this key anew, in the database.

    Returns:
        The last key that was read, None if there was none; and those that are not their bytes'.
    """
    row = await conn.fetchrow(_REREAD, after, limit)
    return (row["last"], row["damaged"]) if row else (None, [])
