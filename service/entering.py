"""How an attempt is entered: with room at its upstream and in every budget, or not at all."""

import math
from datetime import datetime, timedelta

from service import limiting, log
from service.edits import Upstream
from service.errors import LeaseLost, ServiceError
from service.limiting import Denied
from service.store import Conn, attempts, audit, budgets, images, uploads
from service.store.budgets import Standing

ACTOR = "budget"
# Room comes back when a call turns out cheaper, so it is asked for again this often.
LONGEST_WAIT = timedelta(seconds=60)


class _NoRoom(ServiceError):
    """Undoes the entry of an attempt that its upstream or a budget has no room for."""

    def __init__(self, denied: Denied, full: list[Standing]) -> None:
        super().__init__(denied.reason)
        self.denied = denied
        self.full = full


async def keep(conn: Conn, claim: uploads.Claim, canonical: images.Image) -> None:
    """
    Keep the canonical picture that every attempt at the upload will send.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    if not await images.keep_canonical(conn, claim.id, claim.attempt, canonical):
        raise lost(claim)


async def enter(
    conn: Conn,
    claim: uploads.Claim,
    upstream: Upstream,
    attempt: attempts.Attempt,
    *,
    now: datetime | None = None,
) -> Denied | None:
    """
    Enter the attempt before its call.

    Returns:
        None if it was entered.  Else why not; where a budget has no room for its price, the upload
        was given back, uncharged, to wait.  Where the upload's own ceiling has none, it never will.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    if claim.again:
        await _close_lost(conn, claim)
    try:
        async with conn.transaction():
            budgeted = await attempts.add(conn, attempt, now=now)
            if budgeted is None:
                raise lost(claim)
            await _refuse_over_ceiling(conn, claim, attempt)
            standings = await _reserve(conn, upstream, attempt, budgeted=budgeted)
    except _NoRoom as error:
        _log(await _wait(conn, claim, error.full) if error.full else [])
        return error.denied
    if warned := [one for one in standings if one.warn]:
        # Whoever pays holds rows that others wait for who have the trail, so this comes after.
        async with conn.transaction():
            told = await _tell(conn, "warned", warned)
        _log(told)
    return None


def lost(claim: uploads.Claim) -> LeaseLost:
    """Say that another attempt has the upload."""
    return LeaseLost(f"upload {claim.id} is no longer held by attempt {claim.attempt}")


async def _close_lost(conn: Conn, claim: uploads.Claim) -> None:
    """Complete the attempts before this one, whether there is room for it or not."""
    async with conn.transaction():
        if not await uploads.hold(conn, claim.id, claim.attempt):
            raise lost(claim)
        await attempts.close_lost(conn, claim.id, claim.attempt)


async def _refuse_over_ceiling(conn: Conn, claim: uploads.Claim, attempt: attempts.Attempt) -> None:
    """Refuse what would cost more than the upload may, with all that was paid for it before."""
    ceiling = claim.max_cost_microusd
    if ceiling is None or not attempt.reserved_microusd:
        return
    if await attempts.cost(conn, claim.id) > ceiling:
        # Any other reason passes sooner: a stand-in may be cheap enough when it is back.
        raise _NoRoom(Denied("ceiling", math.inf), [])


async def _reserve(
    conn: Conn, upstream: Upstream, attempt: attempts.Attempt, *, budgeted: bool
) -> list[Standing]:
    """See how the budgets stand with the attempt that was entered; what is free stands in none."""
    standings: list[Standing] = []
    if budgeted and attempt.reserved_microusd:
        standings = await budgets.standings(conn, attempt.upload_id, attempt.attempt, LONGEST_WAIT)
        if full := [one for one in standings if one.over]:
            raise _NoRoom(Denied("budget", 0), full)
    if denied := await limiting.permit(conn, upstream):
        raise _NoRoom(denied, [])
    return standings


async def _wait(
    conn: Conn, claim: uploads.Claim, full: list[Standing]
) -> list[tuple[str, Standing]]:
    """Give the upload back until these budgets may have room; give what was told, to be logged."""
    async with conn.transaction():
        released = await uploads.release(
            conn,
            claim.id,
            claim.attempt,
            charged=False,
            delay=max(one.wait for one in full),
            waiting_for="budget",
        )
        if not released:
            raise lost(claim)
        return await _tell(conn, "spent", full)


async def _tell(conn: Conn, kind: str, standings: list[Standing]) -> list[tuple[str, Standing]]:
    """Enter in the audit trail what was not told before, and give it to be logged at commit."""
    told = [(kind, one) for one in standings if await budgets.notice(conn, one, kind)]
    # The trail comes last: whoever has entered something there must wait for nothing else.
    for _, one in told:
        await audit.add(conn, ACTOR, f"budget.{kind}", one.scope, **_facts(one))
    return told


def _log(told: list[tuple[str, Standing]]) -> None:
    for kind, one in told:
        log.get().warning(f"budget_{kind}", **_facts(one))


def _facts(one: Standing) -> dict[str, object]:
    return {
        "scope": one.scope,
        "period": one.period,
        "starts_on": one.starts_on.isoformat(),
        "limit_microusd": one.limit_microusd,
        "used_microusd": one.used_microusd,
    }
