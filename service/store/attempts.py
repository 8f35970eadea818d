"""The ledger of money: a row before each upstream call, completed once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.store import Conn

_ADD = """
    INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                          reserved_microusd, price_version, started_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9::timestamptz, now()))
"""
# A worker that died mid-call may have been billed, so what it reserved is taken as spent.
_CLOSE_LOST = """
    UPDATE attempts
       SET outcome = 'lost', charged = true, cost_microusd = reserved_microusd, finished_at = now()
     WHERE upload_id = $1 AND attempt < $2 AND finished_at IS NULL
"""
_COMPLETE = """
    UPDATE attempts
       SET outcome = $3, charged = $4, cost_microusd = $5, http_status = $6, answer_sha256 = $7,
           answer_text = $8, detail = $9, input_tokens = $10, output_tokens = $11,
           finished_at = now()
     WHERE upload_id = $1 AND attempt = $2 AND finished_at IS NULL
 RETURNING attempt
"""
_COUNT = "SELECT count(*) FROM attempts WHERE upload_id = $1 AND outcome = $2"
_RESERVED = """
    SELECT reserved_microusd FROM attempts
     WHERE upload_id = $1 AND attempt = $2 AND finished_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    A call about to be made.

    ``reserved_microusd`` is the most it may cost, ``price_version`` says where that is from.
    """

    upload_id: UUID
    attempt: int
    upstream: str
    model: str
    prompt_sha256: bytes
    sent_sha256: bytes
    reserved_microusd: int
    price_version: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """How a call ended; ``answer_text`` is kept of failed answers only, for people to read."""

    outcome: str
    charged: bool
    cost_microusd: int
    http_status: int | None = None
    answer_sha256: bytes | None = None
    answer_text: str | None = None
    detail: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


async def add(conn: Conn, attempt: Attempt, *, now: datetime | None = None) -> None:
    """Enter a call before it is made; its price counts as spent from now on."""
    await conn.execute(
        _ADD,
        attempt.upload_id,
        attempt.attempt,
        attempt.upstream,
        attempt.model,
        attempt.prompt_sha256,
        attempt.sent_sha256,
        attempt.reserved_microusd,
        attempt.price_version,
        now,
    )


async def close_lost(conn: Conn, upload: UUID, before: int) -> None:
    """Complete the earlier attempts of workers that died, at the price they had reserved."""
    await conn.execute(_CLOSE_LOST, upload, before)


async def complete(conn: Conn, upload: UUID, attempt: int, end: Completion) -> bool:
    """Complete the attempt once; False if it was completed before."""
    done = await conn.fetchval(
        _COMPLETE,
        upload,
        attempt,
        end.outcome,
        end.charged,
        end.cost_microusd,
        end.http_status,
        end.answer_sha256,
        end.answer_text,
        end.detail,
        end.input_tokens,
        end.output_tokens,
    )
    return done is not None


async def count(conn: Conn, upload: UUID, outcome: str) -> int:
    """Count the upload's attempts that ended with this outcome."""
    return int(await conn.fetchval(_COUNT, upload, outcome))


async def reserved(conn: Conn, upload: UUID, attempt: int) -> int | None:
    """Tell what a call under way has reserved, in microdollars; None if none is."""
    amount: int | None = await conn.fetchval(_RESERVED, upload, attempt)
    return amount
