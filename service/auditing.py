"""Checking the audit trail: every entry against its link, every link against the one before it."""

from dataclasses import dataclass
from datetime import date

from service.chaining import Broken, Checker, Link
from service.store import Conn, audit

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Verified:
    """
    What came of a check: how many links hold before the first that does not.

    ``last`` is the last one that holds.  Whoever keeps its digest elsewhere would notice a chain
    that was made anew, whole, by somebody with every right.
    """

    checked: int
    last: Link | None
    broken: Broken | None


async def verify(conn: Conn, day: date | None = None) -> Verified:
    """Check the whole trail, or the entries of one day (UTC) and what they follow on."""
    # One snapshot: what is entered meanwhile is the next check's.
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        checker = Checker(await audit.last_before(conn, day) if day else None)
        broken = await _first_broken(conn, day, checker)
        return Verified(checker.checked, checker.last, broken)


async def _first_broken(conn: Conn, day: date | None, checker: Checker) -> Broken | None:
    while pairs := await audit.linked(conn, day, checker.last, PAGE):
        if broken := checker.check(pairs):
            return broken
    unlinked = await audit.unlinked(conn, day)
    if unlinked is not None:
        return Broken(unlinked, "it stands in the trail without a link: it was slipped in")
    head = await audit.head(conn)
    if head is None or (day is not None and head.day != day):
        return None
    return checker.end(head)
