"""How a failed attempt is written, and what the table of outcomes says follows from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from service import completing, limiting, log
from service.calling import Call, Job, Undescribed, Unfaithful
from service.completing import Kept
from service.edits import AttemptFailed, Upstream, outcomes
from service.edits.replies import request_id
from service.store import Conn, attempts, uploads
from service.store.proofs import Proof

UNDESCRIBED = ("no_description", "invalid_description")
# A description that its own route or model does not serve says nothing against the upstream.
NOT_SERVED = ("unauthorised", "rejected")


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that failed; ``others`` are the upstreams that may be asked after a refusal."""

    job: Job
    call: Call
    failure: AttemptFailed
    others: Sequence[Upstream]


async def conclude(conn: Conn, failed: Failed, public_url: str) -> None:
    """
    End the upload, or give it back to be tried again.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    claim, call, outcome = failed.job.claim, failed.call, failed.failure.outcome
    unserved = call.kind == "description" and outcome in NOT_SERVED
    if not unserved:
        where = (claim.id, claim.attempt)
        await limiting.note(conn, call.upstream, where, outcome, failed.failure.retry_after_s)
    completion = _completion(failed)
    ends_as = await _ends_as(conn, failed, unserved=unserved)
    if ends_as is not None:
        proof = failed.failure.proof if isinstance(failed.failure, Unfaithful) else None
        await fail(conn, claim, ends_as, completion, public_url, proof)
        return
    rule = outcomes.TABLE[outcome]
    await completing.release(
        conn,
        claim,
        completion,
        charged=rule.charged,
        delay_s=await _delay_s(conn, failed),
        waiting_for="upstream" if rule.then == "pause" else None,
        kept=_kept(failed),
    )


async def fail(
    conn: Conn,
    claim: uploads.Claim,
    outcome: str,
    completion: attempts.Completion | None,
    public_url: str,
    proof: Proof | None = None,
) -> None:
    """End the upload with a typed failure; see ``completing.fail``."""
    await completing.fail(conn, claim, outcome, completion, public_url, proof)
    log.get().info("upload_failed", outcome=outcome, verdict="hold")


async def _ends_as(conn: Conn, failed: Failed, *, unserved: bool) -> str | None:
    """Tell what the upload ends as; None if it is tried again."""
    claim, outcome = failed.job.claim, failed.failure.outcome
    rule = outcomes.TABLE[outcome]
    spent = claim.charges >= outcomes.MAX_ATTEMPTS
    if unserved:
        return await attempts.last_of(conn, claim.id, *UNDESCRIBED)
    if outcome == "refused" and failed.others and not spent:
        return None
    if rule.then == "end":
        return outcome
    if rule.then == "repair":
        asked = 1 + await attempts.count(conn, claim.id, *UNDESCRIBED)
        over = spent or asked >= rule.tries or not failed.call.upstream.repairs
        return rule.ends_as if over else None
    if not rule.charged:
        return None
    alike = 1 + await attempts.count(conn, claim.id, outcome)
    return rule.ends_as if spent or alike >= rule.tries else None


async def _delay_s(conn: Conn, failed: Failed) -> float:
    outcome = failed.failure.outcome
    if failed.failure.retry_after_s is not None:
        return failed.failure.retry_after_s
    then = outcomes.TABLE[outcome].then
    if then == "pause":
        return outcomes.PAUSE_S
    if then == "retry":
        return outcomes.backoff_s(1 + await attempts.count(conn, failed.job.claim.id, outcome))
    return 0  # Another upstream, or another question, has no reason to wait.


def _kept(failed: Failed) -> Kept | None:
    """Keep the picture that was paid for, where its description can be asked for alone."""
    failure = failed.failure
    if not isinstance(failure, Undescribed) or failed.call.upstream.describer is None:
        return None
    edited = failure.edited
    faults = tuple(_storable(fault) for fault in failure.faults)
    rules = failed.job.version.ruleset.rules
    accused = any(rule.id in (failure.text or "") for rule in rules)
    return Kept(edited.image, edited.thumbnail, edited.attempt, faults, accused)


def _completion(failed: Failed) -> attempts.Completion:
    failure = failed.failure
    rule, reply = outcomes.TABLE[failure.outcome], failure.reply
    return attempts.Completion(
        outcome=failure.outcome,
        charged=rule.charged,
        cost_microusd=failed.call.asked.price_microusd if rule.paid else 0,
        http_status=failure.status,
        answer_sha256=hashlib.sha256(reply.body).digest() if reply else None,
        answer_text=_storable(failure.text) if failure.text else None,
        detail=_storable(str(failure))[:1000],
        request_id=request_id(reply) if reply else None,
    )


def _storable(text: str) -> str:
    # Postgres keeps neither NUL nor lone surrogates in text; this copy is for people to read.
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
