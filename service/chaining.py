"""
How entries of the audit trail are chained; the function audit_sha256 of the database does the same.

A link is the sha256 of nine texts in UTF-8, each as a netstring (its length in bytes, a colon, the
text, a comma; source: https://cr.yp.to/proto/netstrings.txt): the digest of the link before in
lower hex (64 zeros before the first), the day (YYYY-MM-DD), the number within the day, the entry's
id, its time (UTC, microseconds, YYYY-MM-DDTHH:MM:SS.ffffffZ), actor, action, subject, and detail as
Postgres writes a jsonb.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

BEGIN = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is now; ``detail`` is the text of the jsonb."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Link:
    """What was noted of an entry when it was made."""

    audit_id: int
    day: date
    number: int
    previous: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link that does not hold: which entry, and what differs."""

    id: int
    what: str


class Checker:
    """Checks a chain link by link, from behind ``last``."""

    def __init__(self, last: Link | None) -> None:
        self.last, self.checked = last, 0

    def check(self, pairs: Iterable[tuple[Entry | None, Link]]) -> Broken | None:
        """Check the next entries with their links, in order; tell the first that is broken."""
        for entry, link in pairs:
            fault = self._fault(entry, link)
            if fault is not None:
                return fault
            self.last = link
            self.checked += 1
        return None

    def _fault(self, entry: Entry | None, link: Link) -> Broken | None:
        before = self.last
        number = before.number + 1 if before and before.day == link.day else 1
        if link.number != number:
            return Broken(
                link.audit_id, f"it is number {link.number} of {link.day}, where {number} follows"
            )
        if link.previous != (before.sha256 if before else BEGIN):
            return Broken(link.audit_id, f"it does not follow on {_named(before)}")
        if entry is None:
            return Broken(link.audit_id, "it is missing from the trail")
        if digest(entry, link) != link.sha256:
            return Broken(link.audit_id, "what it says is not what was entered")
        return None

    def end(self, head: Link) -> Broken | None:
        """Compare the end of the chain with what was noted of it."""
        last = self.last
        if last is None or (last.day, last.number, last.sha256) != (
            head.day,
            head.number,
            head.sha256,
        ):
            return Broken(
                last.audit_id if last else 0,
                f"the trail ends here, but number {head.number} of {head.day} was entered last",
            )
        return None


def digest(entry: Entry, link: Link) -> bytes:
    """Make the sha256 that the entry's link must have."""
    texts = (
        link.previous.hex(),
        link.day.isoformat(),
        str(link.number),
        str(entry.id),
        f"{entry.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail,
    )
    parts = [text.encode() for text in texts]
    return hashlib.sha256(b"".join(b"%d:%s," % (len(part), part) for part in parts)).digest()


def _named(link: Link | None) -> str:
    return f"entry {link.audit_id}, which stands before it" if link else "the beginning"
