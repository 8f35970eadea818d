"""Decisions over HTTP: two people, the undo window, what takes effect and what is told."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from service.store import Conn, Pool
from tests.conftest import Api
from tests.reviews.people import (
    FAILED,
    HELD,
    VIOLATING,
    People,
    apply,
    callbacks,
    cases,
    upload_row,
)
from tests.web.ended import Ended
from tests.web.sending import PNG


async def bodies(conn: Conn) -> list[dict[str, Any]]:
    """The messages of decisions, in order."""
    rows = await conn.fetch("SELECT body FROM callbacks WHERE type = 'upload.decided' ORDER BY id")
    return [json.loads(row["body"]) for row in rows]


async def test_of_two_people_on_one_case_the_second_is_told_what_happened(
    people: People, owner: Conn
) -> None:
    """A decision on a stale revision is a 409 with the decision, its author and the revision."""
    one, two = await people.moderator("one"), await people.moderator("two")
    (upload,) = await cases(owner, VIOLATING)
    revision = (await one.review(upload))["revision"]

    assert (await one.decide(upload, "block", revision=revision))[0] == 201
    status, problem = await two.decide(upload, "allow", "harmless", revision=revision)

    assert (status, problem["code"]) == (409, "case_changed")
    current = problem["current"]
    assert current["revision"] == revision + 1
    assert [(made["decision"], made["actor"]["name"]) for made in current["decisions"]] == [
        ("block", "one")
    ]


async def test_of_two_at_once_one_decides(people: People, owner: Conn) -> None:
    """However close two decisions come, there is one row, and the other gets 409."""
    both = [await people.moderator(name) for name in ("one", "two")]
    uploads = await cases(owner, *([VIOLATING] * 10))
    for upload in uploads:
        answers = await asyncio.gather(*(who.decide(upload, "block") for who in both))
        assert sorted(status for status, _ in answers) == [201, 409]

    assert await owner.fetchval("SELECT count(*) FROM decisions") == len(uploads)


async def test_a_case_that_somebody_works_on_is_his(people: People, owner: Conn) -> None:
    """Without his lease another cannot decide; the answer names who has it until when."""
    one, two = await people.moderator("one"), await people.moderator("two")
    (upload,) = await cases(owner, VIOLATING)
    leased = await one.next()
    assert leased["case"]["id"] == str(upload)

    status, problem = await two.decide(upload, "block")

    assert (status, problem["code"]) == (409, "leased_by_other")
    assert problem["current"]["lease"]["holder"]["name"] == "one"
    assert "until" in problem["current"]["lease"]
    assert (await one.decide(upload, "block"))[0] == 201


async def test_until_it_takes_effect_nothing_else_changes(
    people: People, owner: Conn, pool: Pool
) -> None:
    """A violating upload that is allowed stays blocked, and untold, until the window is over."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    before = await upload_row(owner, upload)

    assert (await one.decide(upload, "allow", "a toy"))[0] == 201
    meanwhile = await upload_row(owner, upload)
    assert meanwhile == before | {"revision": before["revision"] + 1}
    assert await callbacks(owner) == []

    assert await apply(owner, pool) == 1
    assert await upload_row(owner, upload) == {
        "state": "done",
        "verdict": "allow",
        "decision": "allow",
        "machine_verdict": "block",
        "case_verdict": "allow",
        "case_decision": "allow",
        "revision": before["revision"] + 2,
    }
    (told,) = await bodies(owner)
    assert (told["type"], told["data"]["id"]) == ("upload.decided", str(upload))
    assert (told["data"]["decision"], told["data"]["verdict"]) == ("allow", "allow")
    assert told["data"]["previous"] is None
    assert "toy" not in json.dumps(told)


async def test_a_pending_decision_is_offered_to_nobody(people: People, owner: Conn) -> None:
    """Inside the window a case is no longer pending; once undone, it is his who undid it."""
    one, two = await people.moderator("one"), await people.moderator("two")
    (upload,) = await cases(owner, VIOLATING)
    await one.decide(upload, "block")
    assert await two.next() is None

    status, current = await one.undo(upload)

    assert (status, current["lease"]["holder"]["name"]) == (200, "one")
    assert await two.next() is None
    assert (await one.next())["case"]["id"] == str(upload)


async def test_undone_in_time_no_callback_was_ever_written(
    people: People, owner: Conn, pool: Pool
) -> None:
    """A log of every insert, kept by a trigger, stays empty; the verdict never moves."""
    await owner.execute("CREATE TABLE seen (what text)")
    await owner.execute(
        """
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO seen VALUES (TG_TABLE_NAME); RETURN NULL; END $$;
        CREATE TRIGGER see AFTER INSERT ON callbacks FOR EACH ROW EXECUTE FUNCTION see();
        CREATE TRIGGER see AFTER UPDATE OF verdict ON uploads FOR EACH ROW EXECUTE FUNCTION see();
        """
    )
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.decide(upload, "allow")

    assert (await one.undo(upload))[0] == 200
    assert await apply(owner, pool) == 0

    assert await owner.fetch("SELECT what FROM seen") == []
    assert (await upload_row(owner, upload))["verdict"] == "block"
    (made,) = (await one.review(upload))["decisions"]
    assert (made["undone_at"] is not None, made["applied_at"]) == (True, None)


async def test_after_the_window_it_cannot_be_undone(
    people: People, owner: Conn, pool: Pool
) -> None:
    """A decision that took effect is taken back by another decision only; twice is too late too."""
    one = await people.moderator("one")
    (upload, other) = await cases(owner, VIOLATING, HELD)
    await one.decide(upload, "block")
    await apply(owner, pool)
    await one.decide(other, "block")
    await one.undo(other)

    for late in (upload, other):
        status, problem = await one.undo(late)
        assert (status, problem["code"]) == (409, "undo_window_over")


async def test_only_who_decided_takes_it_back(people: People, owner: Conn, pool: Pool) -> None:
    """Another person's decision is not his to undo."""
    one, two = await people.moderator("one"), await people.moderator("two")
    (upload,) = await cases(owner, VIOLATING)
    await one.decide(upload, "block")

    status, problem = await two.undo(upload)

    assert (status, problem["code"]) == (409, "decided_by_other")
    assert await apply(owner, pool) == 1


async def test_a_decision_that_overturns_is_told_with_what_it_takes_back(
    people: People, owner: Conn, pool: Pool
) -> None:
    """The compensating callback names decision and verdict before; an escalation tells nothing."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, HELD)
    steps = [("block", "no"), ("escalate", ""), ("allow", "a toy after all"), ("block", "no toy")]
    for decision, reason in steps:
        status, answer = await one.decide(upload, decision, reason)
        assert status == 201, answer
        await apply(owner, pool)

    told = [(one["data"]["decision"], one["data"]["previous"]) for one in await bodies(owner)]

    assert told == [
        ("block", None),
        ("allow", {"decision": "block", "verdict": "block"}),
        ("block", {"decision": "allow", "verdict": "allow"}),
    ]
    assert (await upload_row(owner, upload))["machine_verdict"] == "hold"


async def test_escalation_changes_no_verdict_and_leaves_the_queue(
    people: People, owner: Conn, pool: Pool
) -> None:
    """An escalated case is out of what waits, and found by its decision."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, HELD)
    await one.decide(upload, "escalate")
    await apply(owner, pool)

    row = await upload_row(owner, upload)
    assert (row["verdict"], row["decision"], row["case_decision"]) == ("hold", None, "escalate")
    assert await callbacks(owner) == []
    assert await one.next() is None
    assert (await one.next(decision="escalate"))["case"]["id"] == str(upload)


@pytest.mark.parametrize("decision", ["allow", "block", "escalate"])
async def test_failed_uploads_are_decided_too(
    people: People, owner: Conn, pool: Pool, decision: str
) -> None:
    """What the machine could not judge a person can; only an edited image there is none."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, FAILED)

    status, problem = await one.decide(upload, "allow_edited")
    assert (status, problem["code"]) == (422, "no_edited_image")
    assert (await one.decide(upload, decision))[0] == 201
    await apply(owner, pool)

    row = await upload_row(owner, upload)
    assert row["state"] == "failed"
    assert row["verdict"] == ("hold" if decision == "escalate" else decision)


async def test_a_queue_says_which_decisions_need_a_reason(
    people: People, api: Api, owner: Conn
) -> None:
    """A reason is asked for where the lease is of such a queue, and kept."""
    settings = {"reason_required": ["allow"]}
    assert (await api.policy.ask("PATCH", "/v1/queues/held", json=settings))[0] == 200
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.next(queue="held")

    status, problem = await one.decide(upload, "allow", " ")
    assert (status, problem["code"]) == (422, "reason_required")
    assert (await one.decide(upload, "allow", "a toy"))[0] == 201
    (made,) = (await one.review(upload))["decisions"]
    assert (made["reason"], made["queue"]) == ("a toy", "held")


async def test_comments_are_kept_and_raise_the_revision(people: People, owner: Conn) -> None:
    """Whoever decides on what he saw before a comment is told of it."""
    one, two = await people.moderator("one"), await people.moderator("two")
    (upload,) = await cases(owner, VIOLATING)
    revision = (await two.review(upload))["revision"]
    status, current = await one.post(f"{upload}/comments", text="see the label\nupper left")
    assert (status, current["revision"]) == (201, revision + 1)

    status, problem = await two.decide(upload, "block", revision=revision)

    assert (status, problem["code"]) == (409, "case_changed")
    (said,) = problem["current"]["comments"]
    assert (said["text"], said["person"]["name"]) == ("see the label\nupper left", "one")


async def test_what_has_not_ended_is_no_case(people: People, api: Api) -> None:
    """An upload that waits, and one that never was, are answered alike on every operation."""
    one = await people.moderator("one")
    waiting = (await api.platform.upload(PNG))["id"]
    for upload in (waiting, UUID(int=0)):
        for path, body in (
            ("decision", {"decision": "block"}),
            ("comments", {"text": "x"}),
            ("lease", {}),
            ("skip", {}),
            ("handover", {}),
            ("reveal", {"reason": "x"}),
        ):
            status, problem = await one.post(f"{upload}/{path}", **body)
            assert (status, problem["code"]) == (404, "not_found"), path
        assert (await one.undo(upload))[0] == 404


async def test_a_golden_example_is_decided_and_nobody_is_told(
    people: People, owner: Conn, pool: Pool
) -> None:
    """There is nobody to call."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, Ended("violating", "hold", platform="golden-examples"))
    assert await one.next() is None
    await one.decide(upload, "block")

    assert await apply(owner, pool) == 1
    assert await callbacks(owner) == []
