"""The ledger of money: a row before each upstream call, completed once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.store import Conn

# The upload is held to the end of the transaction, so that nobody claims it meanwhile.  The books
# that everybody shares are held so long only where there are budgets to look at, or an upstream's
# limits.
_ADD = """
    WITH held AS (
        SELECT id FROM uploads
         WHERE id = $1 AND attempt = $2 AND state = 'working' FOR NO KEY UPDATE)
    INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                          reserved_microusd, price_version, kind, started_at)
    SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10::timestamptz, now()) FROM held
 RETURNING must_budget()
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
           cached_tokens = $12, request_id = $13, finished_at = now()
     WHERE upload_id = $1 AND attempt = $2 AND finished_at IS NULL
 RETURNING attempt
"""
_COUNT = "SELECT count(*) FROM attempts WHERE upload_id = $1 AND outcome = ANY ($2::text[])"
_LAST_OF = """
    SELECT outcome FROM attempts
     WHERE upload_id = $1 AND outcome = ANY ($2::text[]) ORDER BY attempt DESC LIMIT 1
"""
_REFUSERS = "SELECT upstream FROM attempts WHERE upload_id = $1 AND outcome = 'refused'"
_MET_DOWN = """
    SELECT DISTINCT o.name
      FROM attempts AS a JOIN upstreams AS o ON o.name = a.upstream
     WHERE a.upload_id = $1 AND a.finished_at IS NOT NULL AND o.down_since IS NOT NULL
"""
_RESERVED = """
    SELECT reserved_microusd FROM attempts
     WHERE upload_id = $1 AND attempt = $2 AND finished_at IS NULL
"""
_COST = """
    SELECT coalesce(sum(coalesce(cost_microusd, reserved_microusd)), 0)
      FROM attempts WHERE upload_id = $1
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    A call about to be made.

    ``kind``: it asks for an ``edit`` (with its description), or for a ``description`` alone.
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
    kind: str = "edit"


@dataclass(frozen=True, slots=True)
class Completion:
    """
    How a call ended.

    ``answer_text`` is kept of failed answers only, for people to read; ``request_id`` is what the
    upstream calls it.
    """

    outcome: str
    charged: bool
    cost_microusd: int
    http_status: int | None = None
    answer_sha256: bytes | None = None
    answer_text: str | None = None
    detail: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    request_id: str | None = None


async def add(conn: Conn, attempt: Attempt, *, now: datetime | None = None) -> bool | None:
    """
    Enter a call before it is made; its price counts as spent from now on.

    Returns:
        Whether there are budgets to look at; None if the attempt no longer holds the upload.
    """
    budgeted: bool | None = await conn.fetchval(
        _ADD,
        attempt.upload_id,
        attempt.attempt,
        attempt.upstream,
        attempt.model,
        attempt.prompt_sha256,
        attempt.sent_sha256,
        attempt.reserved_microusd,
        attempt.price_version,
        attempt.kind,
        now,
    )
    return budgeted


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
        end.cached_tokens,
        end.request_id,
    )
    return done is not None


async def count(conn: Conn, upload: UUID, *outcomes: str) -> int:
    """Count the upload's attempts that ended with one of these outcomes."""
    return int(await conn.fetchval(_COUNT, upload, outcomes))


async def last_of(conn: Conn, upload: UUID, *outcomes: str) -> str | None:
    """Tell which of these outcomes an attempt at the upload had last."""
    found: str | None = await conn.fetchval(_LAST_OF, upload, outcomes)
    return found


async def refusers(conn: Conn, upload: UUID) -> set[str]:
    """Tell which upstreams refused the upload; none of them is asked again."""
    return {row["upstream"] for row in await conn.fetch(_REFUSERS, upload)}


async def met_down(conn: Conn, upload: UUID) -> set[str]:
    """Tell which upstreams are down that were asked for the upload before."""
    return {row["name"] for row in await conn.fetch(_MET_DOWN, upload)}


async def reserved(conn: Conn, upload: UUID, attempt: int) -> int | None:
    """Tell what a call under way has reserved, in microdollars; None if none is."""
    amount: int | None = await conn.fetchval(_RESERVED, upload, attempt)
    return amount


async def cost(conn: Conn, upload: UUID) -> int:
    """Sum up what all calls for the upload cost, those under way at what they reserved."""
    return int(await conn.fetchval(_COST, upload))
