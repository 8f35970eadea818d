"""Cases to look at, with real pictures, put into the database as the worker leaves them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from service.store import Conn
from tests import draw
from tests.upstream import description, finding
from tests.web import ended
from tests.web.ended import Ended

PICTURE = draw.encoded(draw.card([("A card", 60), ("call 555 0100", 40)], (480, 320)))


@dataclass(frozen=True)
class Described(Ended):
    """An upload that has ended, with the description that it is given."""

    image: bytes = PICTURE
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def description(self) -> dict[str, Any]:
        found = [finding(rule, severity=self.severity) for rule in self.rules]
        return description(findings=found) | self.said


def held(number: int = 0, **changes: Any) -> Described:
    """Describe a case that a person must decide; the lower the number, the longer it waits."""
    values: dict[str, Any] = {
        "outcome": "violating",
        "verdict": "hold",
        "rules": ("contact-details",),
        "severity": 2,
        "day": number % 20,
        "external_id": f"photo-{number}",
        "said": {"summary": f"A card with a phone number, number {number}."},
        **changes,
    }
    return Described(**values)


async def add(conn: Conn, count: int, **changes: Any) -> list[UUID]:
    """Add so many held cases."""
    return [await ended.add(conn, held(number, **changes)) for number in range(count)]
