"""Bulk decisions: counted first, made only if the count still holds, undone in time."""

import json
from datetime import timedelta
from uuid import UUID

import pytest

from service import bulking
from service.errors import InputRefused
from service.store import Conn, Pool
from service.store.pending import Wanted
from service.store.records import Filter
from tests.reviews.people import FAILED, HELD, VIOLATING, People, apply, callbacks, cases
from tests.reviews.test_leasing import copies

MINUTES = timedelta(minutes=5)


async def failed(owner: Conn, number: int) -> list[UUID]:
    """Make this many cases that wait."""
    (first,) = await cases(owner, FAILED)
    await copies(owner, first, number - 1)
    rows = await owner.fetch("SELECT upload_id FROM cases WHERE state = 'failed'")
    return [row["upload_id"] for row in rows]


async def test_a_thousand_with_some_changed_in_between(
    people: People, owner: Conn, pool: Pool
) -> None:
    """A count that no longer holds decides nothing; who works on a case keeps it; each is told."""
    one, two = await people.moderator("one"), await people.moderator("two")
    made = await failed(owner, 1000)
    order = {"filter": {"state": "failed"}, "decision": "block", "reason": "spam"}
    assert await one.post("bulk", **order) == (200, {"count": 1000})
    assert (await two.decide(made[0], "allow", "not spam"))[0] == 201

    status, problem = await one.post("bulk", **order, expected=1000)
    assert (status, problem["code"]) == (409, "count_changed")
    assert await owner.fetchval("SELECT count(*) FROM decisions") == 1

    leased = UUID((await two.next(state="failed"))["case"]["id"])
    status, bulk = await one.post("bulk", **order, expected=999)
    assert (status, bulk["count"], bulk["applied"]) == (202, 998, 0), bulk
    assert bulk["skipped"] == [{"id": str(leased), "why": "leased_by_other"}]
    assert await one.next(state="failed") is None

    assert await apply(owner, pool) == 999
    _, seen, _ = await one.caller.ask("GET", f"/v1/reviews/bulk/{bulk['id']}")
    assert (seen["count"], seen["applied"], seen["undone"]) == (998, 998, 0)
    verdicts = await owner.fetch("SELECT verdict, count(*) FROM uploads GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in verdicts] == [("allow", 1), ("block", 998), ("hold", 1)]
    assert await callbacks(owner) == ["upload.decided"] * 999
    entries = "SELECT count(*) FROM audit WHERE action = 'decision.make' AND detail ? 'bulk'"
    assert await owner.fetchval(entries) == 998


async def test_inside_the_window_the_whole_bulk_is_undone(
    people: People, owner: Conn, pool: Pool
) -> None:
    """Only by who made it, once; nothing is told, and each case waits again."""
    one, two = await people.moderator("one"), await people.moderator("two")
    made = await cases(owner, VIOLATING, HELD, FAILED)
    order = {"decision": "block", "reason": "all of it", "expected": 3}
    _, bulk = await one.post("bulk", **order)
    path = f"/v1/reviews/bulk/{bulk['id']}"
    assert (await two.caller.ask("DELETE", path))[1]["code"] == "decided_by_other"

    status, undone, _ = await one.caller.ask("DELETE", path)

    assert (status, undone) == (200, {"undone": 3})
    assert (await one.caller.ask("DELETE", path))[1]["code"] == "undo_window_over"
    assert await apply(owner, pool) == 0
    assert await callbacks(owner) == []
    got = await two.next("?prefetch=5")
    assert len(got["following"]) + 1 == len(made)


async def test_what_cannot_be_decided_so_is_left_out_and_named(people: People, owner: Conn) -> None:
    """Without an edited image nothing is allowed edited; the rest is decided."""
    one = await people.moderator("one")
    failure, _ = await cases(owner, FAILED, VIOLATING)

    _, bulk = await one.post("bulk", decision="allow_edited", reason="fine", expected=2)

    assert bulk["count"] == 1
    assert bulk["skipped"] == [{"id": str(failure), "why": "no_edited_image"}]


async def test_a_bulk_takes_back_what_was_told(people: People, owner: Conn, pool: Pool) -> None:
    """Named by decision, decided cases are overturned, and each platform learns what stood."""
    one = await people.moderator("one")
    uploads = await cases(owner, VIOLATING, HELD)
    for upload in uploads:
        await one.decide(upload, "block")
    await apply(owner, pool)
    chosen = {"decision": "block", "verdict": "block"}

    status, bulk = await one.post("bulk", filter=chosen, decision="allow", reason="x", expected=2)
    assert (status, bulk["count"]) == (202, 2), bulk
    await apply(owner, pool)

    rows = await owner.fetch("SELECT body FROM callbacks ORDER BY id DESC LIMIT 2")
    for row in rows:
        told = json.loads(row["body"])["data"]
        assert told["previous"] == {"decision": "block", "verdict": "block"}


async def test_more_than_ten_thousand_are_refused(people: People, owner: Conn, pool: Pool) -> None:
    """Neither counted nor decided, and nothing is entered."""
    one = await people.moderator("one")
    await owner.execute("ALTER TABLE cases DISABLE TRIGGER USER")
    await failed(owner, bulking.MOST + 1)
    order = bulking.Order(Wanted(Filter()), "block", "x", bulking.MOST)
    async with pool.acquire() as conn:
        with pytest.raises(InputRefused, match="more than 10000 cases"):
            await bulking.count(conn, order.wanted)
        with pytest.raises(InputRefused, match="more than 10000 cases"):
            await bulking.decide(conn, one.person, order, MINUTES)
    assert await owner.fetchval("SELECT count(*) FROM bulks") == 0


async def test_a_bulk_needs_a_reason(people: People) -> None:
    """Nobody decides thousands for no reason, and unknown ones are answered as such."""
    one = await people.moderator("one")
    for body in ({"decision": "block"}, {"decision": "block", "reason": " "}, {"reason": "x"}):
        status, problem = await one.post("bulk", **body)
        assert (status, problem["code"]) == (422, "validation_failed"), body
    status, problem, _ = await one.caller.ask("GET", f"/v1/reviews/bulk/{UUID(int=1)}")
    assert (status, problem["code"]) == (404, "not_found")
