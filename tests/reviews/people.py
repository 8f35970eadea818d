"""Moderators at work, and what they find: the steps that the tests of reviewing share."""

import dataclasses
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service import administering, applying
from service.administering import Order
from service.leasing import Person
from service.store import Conn, Pool
from tests.conftest import Api, Caller
from tests.web import ended
from tests.web.ended import Ended

PUBLIC_URL = "https://example.org"
VIOLATING = Ended("violating", "block", rules=("weapons",), severity=4)
HELD = Ended("violating", "hold", rules=("weapons",), severity=3)
FAILED = Ended("refused", "hold", state="failed")


@dataclass(frozen=True, slots=True)
class Moderator:
    """A person with a token of his own."""

    person: Person
    caller: Caller

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """Send a body; give the status and the answer."""
        status, answer, _ = await self.caller.ask("POST", f"/v1/reviews/{path}", json=body)
        return status, answer

    async def next(self, query: str = "", **body: Any) -> Any:
        """Ask for the next case; None if there is none."""
        status, answer = await self.post(f"next{query}", **body)
        assert status in (200, 204), answer
        return answer if status == 200 else None

    async def decide(
        self, upload: object, decision: str, reason: str = "", revision: int | None = None
    ) -> tuple[int, Any]:
        """Decide a case, of a revision where one is given."""
        status, answer, _ = await self.caller.ask(
            "POST",
            f"/v1/reviews/{upload}/decision",
            json={"decision": decision, "reason": reason},
            headers={} if revision is None else {"If-Match": f'"{revision}"'},
        )
        return status, answer

    async def undo(self, upload: object) -> tuple[int, Any]:
        """Take a decision back."""
        status, answer, _ = await self.caller.ask("DELETE", f"/v1/reviews/{upload}/decision")
        return status, answer

    async def review(self, upload: object) -> Any:
        """Read all about a case."""
        status, answer, _ = await self.caller.ask("GET", f"/v1/reviews/{upload}")
        assert status == 200, answer
        return answer


@dataclass(frozen=True, slots=True)
class People:
    """Makes moderators."""

    api: Api
    pool: Pool

    async def moderator(self, name: str, api: Api | None = None) -> Moderator:
        """Make one, who uses another API where one is given."""
        async with self.pool.acquire() as conn:
            made = await administering.create_token(conn, Order("moderator", name=name))
        person = Person(made.id, name, f"token:{made.id}")
        caller = dataclasses.replace((api or self.api).moderator, token=made.token)
        return Moderator(person, caller)


async def cases(conn: Conn, *wanted: Ended) -> list[UUID]:
    """Add uploads that have ended."""
    return [await ended.add(conn, one) for one in wanted]


async def make_due(owner: Conn) -> None:
    """Let every undo window be over, which takes the owner and a trigger that is off meanwhile."""
    async with owner.transaction():
        await owner.execute("ALTER TABLE decisions DISABLE TRIGGER append_only")
        await owner.execute(
            "UPDATE decisions SET effective_at = now()"
            " WHERE undone_at IS NULL AND applied_at IS NULL"
        )
        await owner.execute("ALTER TABLE decisions ENABLE TRIGGER append_only")


async def apply(owner: Conn, pool: Pool) -> int:
    """Let every decision take effect now; tell how many did."""
    await make_due(owner)
    done = 0
    async with pool.acquire() as conn:
        while number := await applying.apply_due(conn, PUBLIC_URL):
            done += number
    return done


async def upload_row(conn: Conn, upload: UUID) -> dict[str, Any]:
    """Read what a decision may change."""
    row = await conn.fetchrow(
        """
        SELECT u.state, u.verdict, u.decision, u.machine_verdict,
               c.verdict AS case_verdict, c.decision AS case_decision, c.revision
          FROM uploads AS u JOIN cases AS c ON c.upload_id = u.id WHERE u.id = $1
        """,
        upload,
    )
    assert row is not None
    return dict(row)


async def callbacks(conn: Conn) -> list[Any]:
    """Read the types of all callbacks in order."""
    return [row["type"] for row in await conn.fetch("SELECT type FROM callbacks ORDER BY id")]
