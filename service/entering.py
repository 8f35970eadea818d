"""How an attempt is entered: with room at its upstream and in every budget, or not at all."""

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
    async with conn.transaction():
        await images.add(conn, canonical)
        if not await uploads.keep_canonical(conn, claim.id, claim.attempt, canonical.sha256):
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
        was given back, uncharged, to wait.

    Raises:
        LeaseLost: The attempt no longer holds the upload; nothing was written.
    """
    told: list[tuple[str, Standing]] = []
    denied = None
    async with conn.transaction():
        if not await uploads.hold(conn, claim.id, claim.attempt):
            raise lost(claim)
        await attempts.close_lost(conn, claim.id, claim.attempt)
        try:
            async with conn.transaction():
                standings = await _reserve(conn, upstream, attempt, now)
        except _NoRoom as error:
            denied = error.denied
            if error.full:
                told += await _tell(conn, "spent", error.full)
                await _wait(conn, claim, error.full)
        else:
            told += await _tell(conn, "warned", [one for one in standings if one.warn])
    for kind, one in told:
        log.get().warning(f"budget_{kind}", **_facts(one))
    return denied


def lost(claim: uploads.Claim) -> LeaseLost:
    """Say that another attempt has the upload."""
    return LeaseLost(f"upload {claim.id} is no longer held by attempt {claim.attempt}")


async def _reserve(
    conn: Conn, upstream: Upstream, attempt: attempts.Attempt, now: datetime | None
) -> list[Standing]:
    """Enter the attempt and see how the budgets stand with it; what is free stands in none."""
    await attempts.add(conn, attempt, now=now)
    standings: list[Standing] = []
    if attempt.reserved_microusd:
        standings = await budgets.standings(conn, attempt.upload_id, attempt.attempt, LONGEST_WAIT)
        if full := [one for one in standings if one.over]:
            raise _NoRoom(Denied("budget", 0), full)
    if denied := await limiting.permit(conn, upstream):
        raise _NoRoom(denied, [])
    return standings


async def _wait(conn: Conn, claim: uploads.Claim, full: list[Standing]) -> None:
    await uploads.release(
        conn,
        claim.id,
        claim.attempt,
        charged=False,
        delay=max(one.wait for one in full),
        waiting_for="budget",
    )


async def _tell(conn: Conn, kind: str, standings: list[Standing]) -> list[tuple[str, Standing]]:
    """Enter in the audit trail what was not told before, and give it to be logged at commit."""
    told = []
    for one in standings:
        if await budgets.notice(conn, one, kind):
            await audit.add(conn, ACTOR, f"budget.{kind}", one.scope, **_facts(one))
            told.append((kind, one))
    return told


def _facts(one: Standing) -> dict[str, object]:
    return {
        "scope": one.scope,
        "period": one.period,
        "starts_on": one.starts_on.isoformat(),
        "limit_microusd": one.limit_microusd,
        "used_microusd": one.used_microusd,
    }
