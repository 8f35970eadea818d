"""Uploads claimed by hand, and what an attempt brings: for tests of single transactions."""

import hashlib
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from service import completing
from service.completing import Described
from service.store import Conn, Pool, attempts, images, uploads
from service.store.proofs import Proof
from tests import draw
from tests.flows import driving
from tests.upstream import description, finding

MINUTE = timedelta(minutes=1)
PRICE = 58_000
URL = "https://example.org"
FACTS: Final[dict[str, Any]] = {
    "verdict": "proven",
    "agreement": 1.0,
    "size": [8, 8],
    "stretch": 1.0,
    "pdq_distance": 0,
    "outside": {"tiles": 1, "changed": 0},
    "regions": [],
}


async def claimed(pool: Pool, width: int = 64) -> uploads.Claim:
    """Queue an upload, claim it, and enter its attempt as a worker does before the call."""
    await driving.queued(pool, draw.png(width, 8, "teal"))
    async with pool.acquire() as conn:
        (claim,) = await uploads.claim(conn, 1, MINUTE)
        await entered(conn, claim)
    return claim


async def entered(conn: Conn, claim: uploads.Claim) -> None:
    """Enter the attempt of a claim."""
    async with conn.transaction():
        received = await images.get(conn, claim.image_sha256)
        await images.keep_canonical(conn, claim.id, claim.attempt, received)
        await attempts.close_lost(conn, claim.id, claim.attempt)
        await attempts.add(
            conn,
            attempts.Attempt(
                upload_id=claim.id,
                attempt=claim.attempt,
                upstream="scripted",
                model="model",
                prompt_sha256=bytes(32),
                sent_sha256=claim.image_sha256,
                reserved_microusd=PRICE,
            ),
        )


def image(data: bytes, mime: str = "image/png") -> images.Image:
    """Bytes as an image, whatever they are."""
    return images.Image(hashlib.sha256(data).digest(), mime, 8, 8, 1, data)


def described(claim: uploads.Claim) -> Described:
    """What a successful attempt brought; the bytes name the upload and the attempt."""
    mark = f"{claim.id} {claim.attempt}".encode()
    return Described(
        edited=image(b"edited " + mark),
        thumbnail=image(b"thumbnail " + mark, "image/webp"),
        description=description(findings=[finding("bystander-faces")]),
        outcome="redacted",
        verdict="allow_edited",
        severity=2,
        rules=("bystander-faces",),
        completion=completion("described"),
        proof=Proof("proven", True, FACTS, image(b"heat " + mark)),
        raw=image(b"raw " + mark),
    )


def completion(outcome: str, *, cost: int = PRICE) -> attempts.Completion:
    """How an attempt ended."""
    return attempts.Completion(outcome=outcome, charged=True, cost_microusd=cost, http_status=200)


async def succeed(conn: Conn, claim: uploads.Claim) -> None:
    """Run transaction 2."""
    await completing.succeed(conn, claim, described(claim), URL)


async def snapshot(conn: Conn, upload: UUID) -> dict[str, object]:
    """Read all that an attempt writes of an upload, in one statement."""
    row = await conn.fetchrow(_SNAPSHOT, upload)
    assert row is not None
    return dict(row)


_SNAPSHOT = """
    SELECT u.state, u.outcome, u.verdict, u.attempt, u.charges, u.waiting_for, u.due_at,
           (SELECT count(*) FROM records WHERE upload_id = u.id) AS records,
           (SELECT count(*) FROM proofs WHERE upload_id = u.id) AS proofs,
           (SELECT count(*) FROM callbacks WHERE upload_id = u.id) AS callbacks,
           (SELECT count(*) FROM images
             WHERE position(convert_to(u.id::text, 'UTF8') IN data) > 0) AS images,
           (SELECT array_agg(a.outcome ORDER BY a.attempt) FROM attempts AS a
             WHERE a.upload_id = u.id) AS ledger,
           (SELECT sum(a.cost_microusd) FROM attempts AS a WHERE a.upload_id = u.id) AS cost
      FROM uploads AS u
     WHERE u.id = $1
"""


async def check_written(conn: Conn, upload: UUID) -> None:
    """Check that transaction 2 is there whole, and once."""
    written = await snapshot(conn, upload)
    wanted = {
        "state": "done",
        "outcome": "redacted",
        "verdict": "allow_edited",
        "records": 1,
        "proofs": 1,
        "callbacks": 1,
        "images": 4,
    }
    assert {name: written[name] for name in wanted} == wanted
    await driving.message_of(conn, upload)
