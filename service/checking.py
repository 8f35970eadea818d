"""Checking a live database: every invariant, the audit chain, and the bytes of the images."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from service import auditing
from service.store import Conn, images, invariants
from service.store.invariants import Violation

AUDIT: Final = "audit_chain"
BYTES: Final = "image_bytes"
# Of each check: its name, the invariant it is about, and its rule.
RULES: Final = (
    *((one.name, one.invariant, one.says) for one in (*invariants.CHECKS, *invariants.WARNINGS)),
    (AUDIT, "D7", "every entry of the audit trail is as it was entered"),
    (BYTES, "I1", "an image's bytes have the digest that names them"),
)
NAMES: Final = tuple(name for name, _, _ in RULES)
# Images are digested so many at a time, by the database: no more than this is read at once.
_PAGE: Final = 32
_WARNINGS: Final = frozenset(check.name for check in invariants.WARNINGS)


@dataclass(slots=True)
class Checked:
    """What came of it; ``warnings`` are what stands still or lies about, and lose nothing."""

    checks: int = 0
    violations: list[Violation] = field(default_factory=list)
    warnings: list[Violation] = field(default_factory=list)


async def check(
    conn: Conn, names: Collection[str], stepped: Callable[[str, float], None]
) -> Checked:
    """
    Run the checks of these names (of ``NAMES``) in one snapshot, while others write.

    The database keeps what that snapshot sees for as long as this takes, and nothing waits for it.

    Args:
        stepped: Told of each step which check it was of, and what part of it the step was.
    """
    done = Checked()
    async with invariants.snapshot(conn):
        plain = [name for name in names if name not in (AUDIT, BYTES)]
        found = await invariants.violations(
            conn, names=plain, checked=lambda one: _count(done, one.name, stepped)
        )
        if AUDIT in names:
            found += await _audit(conn)
            _count(done, AUDIT, stepped)
        if BYTES in names:
            found += await _bytes(conn, stepped)
            done.checks += 1
    done.violations = [one for one in found if one.rule not in _WARNINGS]
    done.warnings = [one for one in found if one.rule in _WARNINGS]
    return done


def _count(done: Checked, name: str, stepped: Callable[[str, float], None]) -> None:
    done.checks += 1
    stepped(name, 1.0)


async def _audit(conn: Conn) -> list[Violation]:
    broken = (await auditing.verify(conn)).broken
    return [] if broken is None else [Violation("D7", AUDIT, f"entry {broken.id}", broken.what)]


async def _bytes(conn: Conn, stepped: Callable[[str, float], None]) -> list[Violation]:
    """Digests are spread evenly, so the place of a key tells how much has been read."""
    found: list[Violation] = []
    last, read = b"", 0.0
    while True:
        page, damaged = await images.reread(conn, last, _PAGE)
        found += [
            Violation("I1", BYTES, one.hex(), "its bytes have another digest") for one in damaged
        ]
        now = 1.0 if page is None else int.from_bytes(page[:4]) / 2**32
        stepped(BYTES, now - read)
        if page is None:
            return found
        last, read = page, now
