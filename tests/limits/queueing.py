"""Uploads and rulesets of these tests."""

from uuid import UUID

from service import publishing
from service.store import Pool
from tests import draw
from tests.flows import driving
from tests.flows.driving import Owner
from tests.policy.documents import make_ruleset


async def queue(
    pool: Pool, count: int, ruleset: str | None = None, first_width: int = 1
) -> list[UUID]:
    """Queue so many pictures, each of another width than the others."""
    widths = range(first_width, first_width + count)
    return [
        await driving.queued(pool, draw.png(width, 8, "red"), ruleset=ruleset) for width in widths
    ]


async def publish(
    pool: Pool, name: str, *, model: str | None = None, fallback: bool = False
) -> None:
    """Publish a ruleset of this name, with what it says of the call."""
    choices = {"name": name, "model": model, "fallback_after_refusal": fallback}
    ruleset = make_ruleset(faces="hold").model_copy(update=choices)
    async with pool.acquire() as conn:
        await publishing.publish(conn, ruleset, "", "somebody")


async def until_states(owner: Owner, **counts: int) -> None:
    """Wait until so many uploads are in each of these states."""

    async def reached() -> bool:
        rows = await owner.fetch("SELECT state, count(*) AS n FROM uploads GROUP BY state")
        found = {row["state"]: row["n"] for row in rows}
        return all(found.get(state, 0) == count for state, count in counts.items())

    await driving.until(reached, f"the uploads are {counts}")
