"""Budgets: setting and removing them, each act entered in the audit trail."""

from decimal import Decimal, InvalidOperation

from service.errors import InputRefused
from service.prices import MICRO
from service.store import Conn, audit, budgets, uploads

ACTOR = "command line"
PERIODS = ("day", "month")
MOST_USD = 1_000_000_000


def microusd(dollars: str) -> int:
    """
    Read an amount of dollars exactly, as microdollars.

    Raises:
        InputRefused: Not a number from 0 to a billion with at most six decimals.
    """
    try:
        amount = Decimal(dollars)
        whole = amount * MICRO if amount.is_finite() and 0 <= amount <= MOST_USD else None
    except InvalidOperation:
        whole = None
    if whole is None or whole != whole.to_integral_value():
        raise InputRefused(
            "validation_failed",
            f"{dollars!r} is no amount of dollars; allowed: 0 to {MOST_USD}, at most 6 decimals",
        )
    return int(whole)


async def put(conn: Conn, scope: str, period: str, limit_microusd: int, warn_share: float) -> int:
    """
    Set a budget, new or in place of the one there was; tell how many uploads ask again for room.

    Raises:
        InputRefused: There is no such platform or ruleset.
    """
    if not await budgets.knows(conn, scope):
        raise InputRefused(
            "validation_failed",
            f"{scope!r} is no scope; allowed: global, platform:NAME, ruleset:NAME of known ones",
        )
    async with conn.transaction():
        await budgets.put(conn, scope, period, limit_microusd, warn_share)
        facts = {"period": period, "limit_microusd": limit_microusd, "warn_share": warn_share}
        await audit.add(conn, ACTOR, "budget.set", scope, **facts)
        return await uploads.wake_budget(conn, scope)


async def remove(conn: Conn, scope: str, period: str) -> int | None:
    """Remove a budget; tell how many uploads ask again for room, None if there is no budget."""
    async with conn.transaction():
        if not await budgets.remove(conn, scope, period):
            return None
        await audit.add(conn, ACTOR, "budget.remove", scope, period=period)
        return await uploads.wake_budget(conn, scope)
