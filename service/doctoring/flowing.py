"""Checks of what waits in the database: is anything stuck, paused, spent or unreachable."""

from typing import Final

from service import auditing
from service.doctoring import Finding, Subject, fail, lasting, ok, warn
from service.store import Conn, budgets, deliveries, endpoints, health, rulesets
from service.store import upstreams as known

SLOW_QUEUE_S: Final = 300.0
SLOW_OUTBOX_S: Final = 300.0


async def queue(_: Subject, conn: Conn) -> Finding:
    """See whether what is due is taken."""
    due = await health.queue(conn)
    said = f"{due.due} uploads are due, the oldest since {lasting(due.oldest_s)}"
    if due.lapsed:
        return warn(
            f"{said}; {due.lapsed} leases have run out and nobody takes over",
            "start `moderation work`, and look at the log of the one that stopped",
        )
    if due.oldest_s > SLOW_QUEUE_S:
        return warn(said, "start `moderation work`, or more of them")
    return ok(said)


async def paused(_: Subject, conn: Conn) -> list[Finding]:
    """See whether no upstream is paused."""
    down = [
        warn(
            f"{row['name']} is paused since {row['down_since']:%Y-%m-%d %H:%M} UTC:"
            f" {row['down_reason']}",
            "correct its key or credit, or wait for it; it is asked again each second",
        )
        for row in await known.listed(conn)
        if row["down_since"] is not None
    ]
    return down or [ok("none")]


async def called_back(_: Subject, conn: Conn) -> Finding:
    """See whether platforms take what they are told."""
    standing, waiting = await endpoints.standing(conn), await deliveries.backlog(conn)
    said = (
        ", ".join(f"{number} {name}" for name, number in standing.items())
        + f"; {waiting.number} deliveries wait, the oldest message for {lasting(waiting.oldest_s)}"
    )
    if standing.get("failing") or standing.get("disabled"):
        return warn(said, "GET /v1/callbacks tells what they answered: tell the platform")
    if waiting.oldest_s > SLOW_OUTBOX_S:
        return warn(said, "start `moderation deliver`")
    return ok(said)


async def spent(_: Subject, conn: Conn) -> Finding:
    """See whether no budget is used up."""
    standing = await budgets.listed(conn)
    full = [
        f"{row['scope']} a {row['period']}"
        for row in standing
        if row["spent_microusd"] + row["reserved_microusd"] >= row["limit_microusd"]
    ]
    if full:
        return warn(f"spent: {', '.join(full)}", "moderation budgets set, or wait for the next")
    return ok(f"none of {len(standing)} is spent")


async def audited(_: Subject, conn: Conn) -> Finding:
    """See whether the audit trail holds."""
    done = await auditing.verify(conn)
    if done.broken is not None:
        return fail(
            f"broken at entry {done.broken.id}: {done.broken.what}",
            "keep a copy of the database as it is, and find out who had its owner's rights",
        )
    return ok(f"{done.checked} entries hold")


async def live(subject: Subject, conn: Conn) -> Finding:
    """See whether there is a ruleset to judge by."""
    version = await rulesets.live(conn, subject.ruleset)
    if version is None:
        return fail(
            f"MODERATION_RULESET={subject.ruleset} has no live version",
            f"moderation rulesets publish {subject.ruleset}, or name another",
        )
    return ok(f"{subject.ruleset}/{version}")


async def tokens(_: Subject, conn: Conn) -> Finding:
    """See whether somebody can send."""
    number = await health.platform_tokens(conn)
    if not number:
        return warn("no platform has a token", "moderation tokens create --role platform")
    return ok(f"{number} tokens of platforms")
