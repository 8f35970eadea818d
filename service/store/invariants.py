"""
What must hold of the database at any instant, whoever writes, stops or dies.

Each check is one statement, read in one snapshot: every transaction leaves all of it true, so a
violation is never an upload that is merely under way.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from service.store import Conn
from service.store.checks import Check, counted, ended, ledger, outbox, waiting
from service.store.platforms import GOLDEN

# What must never be.
CHECKS: Final = (*ended.CHECKS, *outbox.CHECKS, *ledger.CHECKS, *counted.CHECKS)
# What somebody should look at, though nothing is lost by it.
WARNINGS: Final = waiting.CHECKS
# A check of millions of rows may take minutes.
_PATIENCE_S: Final = 3600.0
# The last of these are looked at: old ones do not become torn.
_TORN: Final = f"""
    WITH last AS (SELECT * FROM uploads ORDER BY id DESC LIMIT 1000),
    facts AS (
        SELECT u.*, u.state IN ('done', 'failed') AS has_ended,
               EXISTS (SELECT FROM records AS r WHERE r.upload_id = u.id) AS described,
               EXISTS (SELECT FROM cases AS c WHERE c.upload_id = u.id) AS shown,
               EXISTS (SELECT FROM callbacks AS c
                        WHERE c.upload_id = u.id
                          AND c.type IN ('upload.described', 'upload.failed')) AS told,
               EXISTS (SELECT FROM attempts AS a
                        WHERE a.upload_id = u.id AND a.finished_at IS NULL) AS open,
               EXISTS (SELECT FROM attempts AS a
                        WHERE (a.upload_id, a.attempt) = (u.id, u.attempt)
                          AND a.outcome = 'described') AS answered,
               EXISTS (SELECT FROM records AS r
                        WHERE r.upload_id = u.id
                          AND (NOT EXISTS (SELECT FROM images AS i
                                            WHERE i.sha256 = r.edited_sha256)
                            OR NOT EXISTS (SELECT FROM images AS i
                                            WHERE i.sha256 = r.thumbnail_sha256))) AS blank,
               EXISTS (SELECT FROM images AS i WHERE i.sha256 = u.image_sha256) AS has_image
          FROM last AS u)
    SELECT torn.rule, f.id::text AS subject, format('it is %s', f.state) AS detail
      FROM facts AS f
     CROSS JOIN LATERAL (VALUES
         ('done without a record, or a record without done', (f.state = 'done') <> f.described),
         ('a record without its pictures', f.blank),
         ('an image that is not stored', f.image_sha256 IS NOT NULL AND NOT f.has_image),
         ('an end that is not told, or told before it is',
          f.state <> 'deleted' AND f.told <> (f.has_ended AND f.platform <> '{GOLDEN}')),
         ('an end that is not shown, or shown before it is', f.shown <> f.has_ended),
         ('an end with an open attempt', f.open AND f.has_ended),
         ('an answer without its end, or an end without its answer',
          f.state <> 'deleted' AND f.reused_from IS NULL
              AND f.answered <> (f.state = 'done'))
     ) AS torn (rule, broken)
     WHERE torn.broken
     LIMIT 100
"""  # noqa: S608  # constants of ours


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be: ``subject`` is the id of an upload, or what the rule is of."""

    invariant: str
    rule: str
    subject: str
    detail: str


@asynccontextmanager
async def snapshot(conn: Conn) -> AsyncIterator[None]:
    """Let all that is read inside be of one instant, and let nothing be written."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        yield


async def violations(
    conn: Conn,
    *,
    names: Collection[str] | None = None,
    checked: Callable[[Check], None] | None = None,
) -> list[Violation]:
    """
    Run the checks in one snapshot: all of ``CHECKS``, or those named, also of ``WARNINGS``.

    Args:
        checked: Told of each check once it is done.

    Returns:
        At most 100 of each rule.
    """
    found: list[Violation] = []
    async with snapshot(conn):
        for check in chosen(names):
            found += await _broken(conn, check)
            if checked is not None:
                checked(check)
    return found


def chosen(names: Collection[str] | None) -> list[Check]:
    """
    Give the checks of these names; None means all that must hold.

    Raises:
        LookupError: There is no such check.
    """
    if names is None:
        return list(CHECKS)
    known = {check.name: check for check in (*CHECKS, *WARNINGS)}
    if unknown := sorted(set(names) - known.keys()):
        raise LookupError(f"no check {', '.join(unknown)}; there are {', '.join(known)}")
    return [check for name, check in known.items() if name in names]


async def torn(conn: Conn) -> list[Violation]:
    """
    Look for what a reader must never see, by one cheap statement over the newest 1,000 uploads.

    It is meant to be asked every 20 ms while uploads flow.
    """
    rows = await conn.fetch(_TORN)
    return [Violation("I0", row["rule"], row["subject"], row["detail"]) for row in rows]


async def _broken(conn: Conn, check: Check) -> list[Violation]:
    try:
        async with conn.transaction():
            rows = await conn.fetch(check.bounded, timeout=_PATIENCE_S)
    except asyncpg.DataError as error:
        # Bytes that cannot even be read, such as a callback that is not JSON, are a violation too.
        return [Violation(check.invariant, check.name, "-", f"a value cannot be read: {error}")]
    return [Violation(check.invariant, check.name, row["subject"], row["detail"]) for row in rows]
