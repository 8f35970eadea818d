"""Whether an upstream may be called now, and what each call tells of it; held in Postgres."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from service import log
from service.edits import Upstream, outcomes
from service.store import Conn, budgets, uploads, upstreams
from service.store.upstreams import Standing

PAUSE = timedelta(seconds=outcomes.PAUSE_S)
# Calls may go out this much early, so that a rate is kept by processes that sleep imprecisely.
EARLY_S = 0.25
# A call that ends elsewhere makes room without telling us.
LOOK_AGAIN_S = 0.25
# An upstream that hangs would otherwise gather one probe a second until the deadline of each.
PROBES = 5


@dataclass(frozen=True, slots=True)
class Denied:
    """
    Why no call may go out now, and in how many seconds to ask again.

    The upstream is ``down`` or ``busy``, a ``budget`` has no room, the price is over the upload's
    own ``ceiling``, or we are ``closed`` ourselves.  ``upstream`` is the one that is down, where
    there is one.
    """

    reason: Literal["down", "busy", "budget", "ceiling", "closed"]
    wait_s: float
    upstream: str | None = None


async def permit(conn: Conn, upstream: Upstream) -> Denied | None:
    """
    Count a call that is entered in the same transaction, or tell why it may not go out.

    Others who ask wait until that transaction ends, except where nothing limits the upstream.
    """
    standing = await upstreams.standing(conn, upstream.name)
    if standing is not None and _unlimited(upstream, standing):
        return None
    # All hold the books before they hold an upstream, so that none waits for another in a circle.
    await budgets.hold(conn)
    if standing is None:
        await upstreams.add(conn, upstream.name)
    standing = await upstreams.standing(conn, upstream.name, lock=True)
    if standing is None:
        raise LookupError(f"upstream {upstream.name} vanished")
    rate = _rate(upstream, standing)
    denied = await _denied(conn, upstream, standing, rate)
    if denied is None:
        interval = None if rate is None else timedelta(minutes=1 / rate)
        await upstreams.grant(conn, upstream.name, PAUSE, interval)
    return denied


async def note(
    conn: Conn,
    upstream: Upstream,
    call: tuple[UUID, int],
    outcome: str,
    retry_after_s: float | None,
) -> None:
    """Learn from how a call ended: the breaker opens or closes, the rate is lowered."""
    name, tells = upstream.name, outcomes.TABLE[outcome].tells
    if tells in ("well", "slow") and await upstreams.well(conn, name):
        woken = await uploads.wake_upstream(conn)
        log.get().info("upstream_resumed", upstream=name, uploads=woken)
    if tells == "slow":
        # Nobody goes out early after a wait that the upstream asked for.
        wait = timedelta(seconds=(retry_after_s or 0) + EARLY_S)
        await upstreams.slow(conn, name, call, ceiling=upstream.requests_per_minute, wait=wait)
        log.get().warning("upstream_slowed", upstream=name, wait_s=wait.total_seconds())
    elif tells in ("failing", "down"):
        bearable = 1 if tells == "down" else outcomes.BEARABLE
        if await upstreams.failed(conn, name, outcome, bearable, PAUSE):
            log.get().error("upstream_paused", upstream=name, reason=outcome)


async def look_again(conn: Conn, denied: Denied) -> None:
    """
    Wake those who wait if the upstream was back before the last of them began to.

    Call it once the wait is committed: whoever brings the upstream back later wakes it too.
    """
    if denied.upstream is None:
        return
    standing = await upstreams.standing(conn, denied.upstream)
    if standing is not None and standing.down_since is None:
        await uploads.wake_upstream(conn)


def _unlimited(upstream: Upstream, standing: Standing) -> bool:
    return (
        standing.down_since is None
        and not standing.forgotten
        and standing.next_in_s <= 0
        and upstream.max_in_flight is None
        and _rate(upstream, standing) is None
    )


def _rate(upstream: Upstream, standing: Standing) -> float | None:
    """Give the calls a minute that may go out now; None if as many as come."""
    rates = [upstream.requests_per_minute, standing.slowed_to]
    return min((rate for rate in rates if rate is not None), default=None)


async def _denied(
    conn: Conn, upstream: Upstream, standing: Standing, rate: float | None
) -> Denied | None:
    # The call that asks has been entered, so it is among those under way.
    if standing.down_since is not None:
        wait_s = standing.probe_in_s or 0.0
        if wait_s > 0:
            return Denied("down", wait_s, upstream.name)
        probes = await upstreams.under_way(conn, upstream.name, standing.down_since)
        return Denied("down", outcomes.PAUSE_S, upstream.name) if probes > PROBES else None
    early_s = EARLY_S if rate is not None else 0.0
    if standing.next_in_s > early_s:
        return Denied("busy", standing.next_in_s - early_s)
    if upstream.max_in_flight is not None:
        calls = await upstreams.under_way(conn, upstream.name)
        if calls > upstream.max_in_flight:
            return Denied("busy", LOOK_AGAIN_S)
    return None
