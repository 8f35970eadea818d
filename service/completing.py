"""
How an attempt is written: transaction 2, and its two siblings for what did not work.

Each is fenced by the attempt: whoever lost the lease writes nothing at all.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service import callbacks, ids
from service.errors import LeaseLost
from service.store import Conn, attempts, images, kept_edits, proofs, records, uploads
from service.store import callbacks as outbox
from service.store.kept_edits import KeptEdit
from service.store.platforms import GOLDEN
from service.store.proofs import Proof


@dataclass(frozen=True, slots=True)
class Described:
    """
    Everything that one successful attempt brought.

    ``edited`` is the final picture, ``raw`` the upstream's own where it is kept; ``edit_attempt``
    brought it, where that was an earlier one.
    """

    edited: images.Image
    thumbnail: images.Image
    description: dict[str, Any]
    outcome: str
    verdict: str
    severity: int
    rules: tuple[str, ...]
    completion: attempts.Completion
    proof: Proof
    raw: images.Image | None = None
    edit_attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """
    An edited picture without a description that holds, and what the validator said of that.

    ``accused``: the description named a rule.
    """

    edited: images.Image
    thumbnail: images.Image
    attempt: int
    faults: tuple[str, ...]
    accused: bool


async def succeed(conn: Conn, claim: uploads.Claim, done: Described, public_url: str) -> None:
    """
    Transaction 2: edited image, description, the attempt's end, state and callback, or nothing.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    async with conn.transaction():
        at = await _finish(conn, claim, "done", done.outcome, done.verdict)
        pictures = (done.edited, done.thumbnail, done.raw, done.proof.heat)
        await images.add_all(conn, (one for one in pictures if one is not None))
        await records.add(
            conn,
            claim.id,
            claim.attempt,
            edited_sha256=done.edited.sha256,
            thumbnail_sha256=done.thumbnail.sha256,
            description=done.description,
            outcome=done.outcome,
            severity=done.severity,
            rules=list(done.rules),
            edit_attempt=done.edit_attempt,
            raw_sha256=done.raw.sha256 if done.raw else None,
        )
        await proofs.add(conn, claim.id, claim.attempt, done.proof)
        ended = _ended(claim, "done", done.outcome, done.verdict, done.severity, done.rules)
        await tell(conn, ended, public_url, at)
        await _complete(conn, claim, done.completion)


async def fail(
    conn: Conn,
    claim: uploads.Claim,
    outcome: str,
    completion: attempts.Completion | None,
    public_url: str,
    proof: Proof | None = None,
) -> None:
    """
    End the upload with a typed failure, held for a person; ``completion`` None if no call was made.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    async with conn.transaction():
        at = await _finish(conn, claim, "failed", outcome, "hold")
        if proof is not None:
            if proof.heat is not None:
                await images.add(conn, proof.heat)
            await proofs.add(conn, claim.id, claim.attempt, proof)
        await tell(conn, _ended(claim, "failed", outcome, "hold", 0, ()), public_url, at)
        if claim.again:
            await attempts.close_lost(conn, claim.id, claim.attempt)
        if completion is not None:
            await _complete(conn, claim, completion)


async def release(
    conn: Conn,
    claim: uploads.Claim,
    completion: attempts.Completion | None,
    *,
    charged: bool,
    delay_s: float,
    waiting_for: str | None = None,
    kept: Kept | None = None,
) -> None:
    """
    Give the upload back to be tried again after ``delay_s`` seconds, with what it keeps till then.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    async with conn.transaction():
        released = await uploads.release(
            conn,
            claim.id,
            claim.attempt,
            charged=charged,
            delay=timedelta(seconds=delay_s),
            waiting_for=waiting_for,
        )
        if not released:
            raise LeaseLost(f"upload {claim.id} is no longer held by attempt {claim.attempt}")
        if kept is not None:
            await _keep(conn, claim, kept)
        if completion is not None:
            await _complete(conn, claim, completion)


async def _keep(conn: Conn, claim: uploads.Claim, kept: Kept) -> None:
    await images.add_all(conn, (kept.edited, kept.thumbnail))
    edit = KeptEdit(
        attempt=kept.attempt,
        edited_sha256=kept.edited.sha256,
        thumbnail_sha256=kept.thumbnail.sha256,
        faults=list(kept.faults),
        accused=kept.accused,
    )
    await kept_edits.add(conn, claim.id, edit)


async def _finish(
    conn: Conn, claim: uploads.Claim, state: str, outcome: str, verdict: str
) -> datetime:
    at = await uploads.finish(conn, claim.id, claim.attempt, state, outcome, verdict)
    if at is None:
        raise LeaseLost(f"upload {claim.id} is no longer held by attempt {claim.attempt}")
    return at


async def _complete(conn: Conn, claim: uploads.Claim, completion: attempts.Completion) -> None:
    if not await attempts.complete(conn, claim.id, claim.attempt, completion):
        raise LeaseLost(f"attempt {claim.attempt} of upload {claim.id} was completed before")


async def tell(
    conn: Conn, ended: callbacks.Ended, public_url: str, at: datetime | None = None
) -> None:
    """
    Put the message of an upload's end into the outbox, in the transaction that ends it.

    ``at`` is the upload's ``finished_at``, where the caller knows it: the transaction's now().
    """
    if ended.platform == GOLDEN:
        return  # Whoever runs golden examples reads what came of them; there is nobody to call.
    if at is None:
        at = await conn.fetchval("SELECT now()")
    body = callbacks.body(ended, at, public_url)
    kind = callbacks.EVENTS[ended.state]
    await outbox.add(conn, ids.uuid7(), ended.upload_id, kind, body)


async def tell_decided(conn: Conn, decided: callbacks.Decided, public_url: str) -> None:
    """Put the message of a decision into the outbox, in the transaction that applies it."""
    if decided.platform == GOLDEN:
        return
    at = await conn.fetchval("SELECT now()")
    body = callbacks.decided_body(decided, at, public_url)
    await outbox.add(conn, ids.uuid7(), decided.upload_id, callbacks.EVENTS["decided"], body)


def _ended(
    claim: uploads.Claim,
    state: str,
    outcome: str,
    verdict: str,
    severity: int,
    rules: tuple[str, ...],
) -> callbacks.Ended:
    return callbacks.Ended(
        upload_id=claim.id,
        platform=claim.platform,
        external_id=claim.external_id,
        ruleset=claim.ruleset,
        version=claim.version,
        state=state,
        outcome=outcome,
        verdict=verdict,
        severity=severity,
        rules=rules,
    )
