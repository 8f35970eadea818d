"""The pictures that `up --demo` sends, and what each must come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service import reporting, submitting
from service.submitting import Job
from service.up import Running

FOLDER = Path(__file__).with_name("demo_pictures")


@dataclass(frozen=True, slots=True)
class Expected:
    """One picture, the ruleset it is sent under, and the outcome and verdict it must reach."""

    file: str
    ruleset: str
    outcome: str
    verdict: str


PICTURES: tuple[Expected, ...] = (
    Expected("astronaut.jpg", "privacy", "redacted", "allow_edited"),
    Expected("business-card.png", "privacy", "redacted", "allow_edited"),
    Expected("poster-with-code.png", "privacy", "redacted", "allow_edited"),
    Expected("cat.jpg", "privacy", "clean", "allow"),
    Expected("note-to-the-model.png", "privacy", "clean", "hold"),
    Expected("coffee-for-sale.jpg", "marketplace", "violating", "hold"),
)


async def run(what: Running, folder: Path, say: Callable[[str], None]) -> bool:
    """Send the pictures, save them, show a table; tell whether each came to what it must."""
    async with submitting.opened(what.url, what.tokens["platform"]) as client:
        sent = jobs()
        items = await submitting.submit(client, sent, wait=True, finished=lambda _: None)
        page = await reporting.save(client, sent, items, folder)
    say(f"\n{reporting.table(items)}\n\nbefore and after: {page}")
    unexpected = surprises(items)
    for surprise in unexpected:
        say(f"unexpected: {surprise}")
    return not unexpected


def jobs() -> list[Job]:
    """Give the demo's pictures as jobs to submit."""
    return [Job(FOLDER / one.file, one.file, one.ruleset) for one in PICTURES]


def surprises(items: Sequence[dict[str, Any]]) -> list[str]:
    """Say, a sentence each, which pictures did not come to what they must."""
    return [
        f"{one.file} came to {item.get('outcome')}/{item.get('verdict')}, "
        f"not {one.outcome}/{one.verdict}"
        for one, item in zip(PICTURES, items, strict=True)
        if (item.get("outcome"), item.get("verdict")) != (one.outcome, one.verdict)
    ]
