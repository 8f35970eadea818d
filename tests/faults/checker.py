"""What must hold: asked of the database while it is hurt, and of everybody once it is quiet."""

import asyncio
import contextlib
import io
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

import asyncpg
from PIL import Image, ImageChops

from service.store import images, invariants
from service.store.database import PASSING, UNREACHABLE, Database
from tests.faults.load import Operation
from tests.faults.stage import Stage
from tests.flows.driving import Owner

LOOK_S = 0.02
# Of 255; what no coding explains.
_UNLIKE = 16
_UPLOADS = """
    SELECT id::text, external_id, platform, image_sha256, state, outcome, reused_from, charges
      FROM uploads
"""
_CALLS = """
    SELECT sent_sha256, prompt_sha256, model, count(*) AS rows FROM attempts GROUP BY 1, 2, 3
"""
_MADE = """
    SELECT u.id::text, encode(a.sent_sha256, 'hex') AS sent, a.model, a.prompt_sha256,
           u.canonical_sha256, r.edited_sha256, r.description->>'alt_text' AS described
      FROM uploads AS u JOIN records AS r ON r.upload_id = u.id
      LEFT JOIN uploads AS l ON l.id = u.reused_from
      JOIN attempts AS a ON a.upload_id = coalesce(l.id, u.id)
                        AND a.attempt = coalesce(l.attempt, u.attempt)
"""
_UNDUE = """
    SELECT * FROM (
        SELECT u.id::text AS upload, u.charges,
               (SELECT count(*) FROM attempts AS a WHERE a.upload_id = u.id AND a.charged) AS calls,
               ARRAY(SELECT outcome FROM attempts AS a WHERE a.upload_id = u.id) AS outcomes
          FROM uploads AS u) AS each
     WHERE charges > calls OR 'lost' = ANY (outcomes)
        OR ($1 AND NOT outcomes <@ ARRAY['described', 'released'])
"""
_TOLD = "SELECT id::text, upload_id::text AS upload, body FROM callbacks"


@dataclass(slots=True)
class Watch:
    """Looks made while the service was hurt, and what they saw that must not be (I0)."""

    looks: int = 0
    seen: dict[tuple[str, str], str] = field(default_factory=dict)

    async def run(self, where: Database) -> None:
        """Look every 20 ms over a connection of its own, a new one whenever that is lost."""
        while True:
            with contextlib.suppress(*UNREACHABLE, *PASSING):
                conn = await asyncpg.connect(where.dsn, timeout=5)
                try:
                    while True:
                        for one in await invariants.torn(conn):
                            self.seen.setdefault((one.rule, one.subject), one.detail)
                        self.looks += 1
                        await asyncio.sleep(LOOK_S)
                finally:
                    conn.terminate()
            await asyncio.sleep(LOOK_S)


@contextlib.asynccontextmanager
async def watching(where: Database) -> AsyncIterator[Watch]:
    """Watch the database during the block."""
    watch = Watch()
    task = asyncio.create_task(watch.run(where))
    try:
        yield watch
    finally:
        if task.done():
            task.result()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def violations(stage: Stage, *, ends: Collection[str], charges: bool) -> list[str]:
    """
    List everything that does not hold of a service that has gone quiet, each with its invariant.

    Args:
        ends: As what uploads may fail: what the upstream did wrong on purpose.
        charges: Faults may have cost uploads attempts that brought nothing.
    """
    async with stage.owner() as conn:
        found = [
            f"{one.invariant} {one.rule}: {one.subject} {one.detail}"
            for one in await invariants.violations(conn)
        ]
        found += [f"API {fault}" for fault in stage.load.faults]
        found += await _uploads(conn, stage.load.book, ends)
        found += await _callbacks(conn, stage)
        found += await _answers(conn, stage)
        if not charges:
            found += [
                f"I8 upload {row['upload']} was charged {row['charges']} times, for {row['calls']}"
                f" calls, which ended as {row['outcomes']}"
                for row in await conn.fetch(_UNDUE, not ends)
            ]
    return found


async def _uploads(conn: Owner, book: list[Operation], ends: Collection[str]) -> list[str]:
    """Compare the client's book with the uploads: I1, I2 and I8."""
    found = []
    rows: dict[tuple[str, str], list[asyncpg.Record]] = {}
    for row in await conn.fetch(_UPLOADS):
        rows.setdefault((row["platform"], row["external_id"]), []).append(row)
        if row["state"] not in ("done", "failed"):
            found.append(f"I2 upload {row['id']} is {row['state']} at the end")
        if row["state"] == "failed" and row["outcome"] not in ends:
            found.append(f"I8 upload {row['id']} ended as {row['outcome']}")
    for op in book:
        its = rows.pop((op.platform, op.name), [])
        least, most = {"ok": (1, 1), "unknown": (0, 1), "failed": (0, 0)}[op.result]
        if not least <= len(its) <= most:
            found.append(f"I1 operation {op.name} is {op.result} and became {len(its)} uploads")
        if any(row["image_sha256"] != op.sha256 for row in its):
            found.append(f"I1 operation {op.name} became an upload of another image")
        if op.upload and op.upload not in {row["id"] for row in its}:
            found.append(f"I1 operation {op.name} was told of {op.upload}, which is not it")
    return found + [f"I1 nobody sent {external_id}" for _, external_id in rows]


async def _callbacks(conn: Owner, stage: Stage) -> list[str]:
    """Compare what receivers got with what the outbox holds: I4 and I5."""
    inbox = stage.inbox
    found = [f"I5 {fault}" for fault in inbox.faults]
    told = {row["id"]: row for row in await conn.fetch(_TOLD)}
    for name, bodies in inbox.bodies.items():
        if name not in told:
            found.append(f"I5 message {name} came and is in no outbox")
        elif bodies != {told[name]["body"]}:
            found.append(f"I5 message {name} came with another body than its own")
    for upload, names in inbox.of_upload.items():
        if len(names) > 1:
            found.append(f"I4 upload {upload} was told by {len(names)} messages")
    silent = {row["upload"] for row in told.values()} - inbox.of_upload.keys()
    return found + [f"I5 upload {upload} was never called back" for upload in sorted(silent)]


async def _answers(conn: Owner, stage: Stage) -> list[str]:
    """Compare records and ledger with what the upstream was really asked: I6, I7 and I9."""
    found = []
    asked = stage.answering.asked
    entered: Counter[tuple[bytes, bytes, str]] = Counter()
    for row in await conn.fetch(_CALLS):
        entered[row["sent_sha256"], row["prompt_sha256"], row["model"]] = row["rows"]
    for call, times in asked.items():
        if times > entered[call]:
            name = call[0].hex()[:12]
            found.append(f"I7 {times} calls for picture {name}, and {entered[call]} were entered")
    for row in await conn.fetch(_MADE):
        if row["described"] != row["sent"]:
            found.append(f"I6 record {row['id']} describes another picture")
        if (bytes.fromhex(row["sent"]), row["prompt_sha256"], row["model"]) not in asked:
            found.append(f"I9 record {row['id']} names a call that the upstream never had")
        if not await _same(conn, row["canonical_sha256"], row["edited_sha256"]):
            found.append(f"I6 record {row['id']} shows another picture")
    return found


async def _same(conn: Owner, one: bytes, other: bytes) -> bool:
    """Tell whether two pictures that are stored look alike; the upstream changes none."""
    pixels = [
        Image.open(io.BytesIO((await images.get(conn, digest)).data)).convert("RGB")
        for digest in (one, other)
    ]
    if pixels[0].size != pixels[1].size:
        return False
    difference = ImageChops.difference(*pixels).convert("L")
    return all(count == 0 for count in difference.histogram()[_UNLIKE:])
