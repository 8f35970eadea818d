"""Images that arrive with their uploads: kept, queued and counted by one statement."""

from dataclasses import dataclass
from datetime import datetime

from service.store import Conn, images
from service.store.images import Image
from service.store.uploads import NewUpload

# The parts are done in this order, which is that of all who store pictures and uploads, so that
# they never wait for each other in a circle: the image, then the upload, which leads or follows,
# and what others of the platform wait for at last.  A follower is due never, so no worker claims
# it.  Requests for the same picture at once wait for each other on the index of leaders.
_ADD = f"""
    WITH stored AS ({images.insertion(1, first=8)} RETURNING sha256),
    leader AS (
        INSERT INTO uploads (id, platform, external_id, metadata, image_sha256, ruleset, version,
                             leads)
        SELECT $1::uuid, name, $3::text, $4::jsonb, $5::bytea, $6::text, $7::integer, reuse
          FROM platforms
         WHERE name = $2::text AND (SELECT count(*) FROM stored) >= 0
            ON CONFLICT DO NOTHING
     RETURNING received_at, pg_notify('uploads_due', '')),
    follower AS (
        INSERT INTO uploads (id, platform, external_id, metadata, image_sha256, ruleset, version,
                             waiting_for, due_at)
        SELECT $1::uuid, $2::text, $3::text, $4::jsonb, $5::bytea, $6::text, $7::integer,
               'reuse', 'infinity'
         WHERE NOT EXISTS (SELECT FROM leader)
     RETURNING received_at),
    added AS (
        SELECT received_at, false AS follows FROM leader
         UNION ALL
        SELECT received_at, true FROM follower),
    counted AS (
        INSERT INTO intake_days AS kept (platform, day, uploads, bytes)
        SELECT $2::text, (now() AT TIME ZONE 'UTC')::date, 1, octet_length($13) FROM added
            ON CONFLICT (platform, day) DO UPDATE
           SET uploads = kept.uploads + excluded.uploads, bytes = kept.bytes + excluded.bytes
     RETURNING uploads, bytes)
    SELECT received_at, follows, uploads, bytes FROM added, counted
"""  # noqa: S608  # what stands in it are constants


@dataclass(frozen=True, slots=True)
class Arrival:
    """When an upload came, whether it follows another, and its platform's day (UTC) with it."""

    received_at: datetime
    follows: bool
    uploads: int
    bytes: int


async def add(conn: Conn, upload: NewUpload, image: Image) -> Arrival:
    """
    Keep the image and queue its upload, or let it wait for the result of the one that leads.

    Its ceiling is unused.
    """
    row = await conn.fetchrow(
        _ADD,
        upload.id,
        upload.platform,
        upload.external_id,
        upload.metadata,
        upload.image_sha256,
        upload.ruleset,
        upload.version,
        *images.row(image),
    )
    if row is None:
        raise LookupError(f"upload {upload.id} was neither queued nor made to wait")
    return Arrival(**row)
