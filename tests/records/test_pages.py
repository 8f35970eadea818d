"""Pages over HTTP: nothing twice and nothing missed while others write, and cursors that hold."""

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.store.database import Database
from tests.conftest import Api
from tests.records import filling
from tests.records.conftest import Filled
from tests.records.population import Population
from tests.web import sending

RECORDS = "/v1/records"


@pytest.fixture
def where(filled: Filled) -> Database:
    """The filled database, for the API of a test."""
    return filled.where


async def _all(api: Api, **query: str) -> list[dict[str, Any]]:
    items, cursor = [], None
    while True:
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        status, page, _ = await api.moderator.ask("GET", RECORDS, params=asked)
        assert status == 200, page
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


async def test_pages_hold_while_others_write(api: Api, filled: Filled) -> None:
    """What ended before the first page was asked for comes just once, whatever ends meanwhile."""
    before = {str(one.id) for one in filled.made}
    stop = asyncio.Event()
    newcomers = iter(Population(99, findings=2).made(400))

    async def write() -> int:
        owner, added = await filled.where.connect_owner(), 0
        try:
            while not stop.is_set():
                await filling.add(owner, [next(newcomers), next(newcomers)])
                added += 2
        finally:
            await owner.close()
        return added

    writing = asyncio.create_task(write())
    try:
        for order in ("newest", "oldest", "severity"):
            ids = [one["id"] for one in await _all(api, order=order, limit="100")]
            assert len(ids) == len(set(ids)), order
            assert before <= set(ids), order
    finally:
        stop.set()
    assert await writing > 0


async def test_an_item_tells_what_people_made_of_it(api: Api, filled: Filled) -> None:
    """Severity, decision and revision stand beside all that an upload tells."""
    decided = {str(one.id): one for one in filled.made if one.decision == "block"}

    items = await _all(api, decision="block", limit="200")

    found = {item["id"]: item for item in items}
    assert set(decided) <= set(found)
    for item in (found[upload] for upload in decided):
        assert item["severity"] == decided[item["id"]].severity
        assert item["decided_at"] is not None
        assert item["revision"] == 1
        assert item["description"] is None or item["description"]["findings"]


async def test_a_cursor_is_good_for_its_own_question_only(api: Api) -> None:
    """A cursor that was changed, made up, or sent with another filter or order is refused."""
    _, page, _ = await api.moderator.ask("GET", f"{RECORDS}?limit=2&state=done")
    cursor = page["next"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=="))
    changed = []
    for at in (0, 5, len(raw) - 20, len(raw) - 1):
        other = bytearray(raw)
        other[at] ^= 1
        changed.append(base64.urlsafe_b64encode(other).decode().rstrip("="))
    for spelt in (*changed, cursor[:-4], cursor + "AAAA", "A" * len(cursor)):
        answer = await api.moderator.ask("GET", RECORDS, params={"state": "done", "cursor": spelt})
        sending.check_problem(answer, 422, "cursor_invalid", spelt)
    for query in ("", "state=failed", "state=done&order=oldest", "state=done&version=1"):
        answer = await api.moderator.ask("GET", f"{RECORDS}?{query}&cursor={cursor}")
        sending.check_problem(answer, 422, "cursor_invalid", query)
    status, _, _ = await api.moderator.ask("GET", f"{RECORDS}?limit=9&state=done&cursor={cursor}")
    assert status == 200


async def test_equal_moments_are_told_apart(api: Api, filled: Filled) -> None:
    """Uploads of one moment are paged through one by one, in every order."""
    owner = await filled.where.connect_owner()
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    twins = [replace(one, received_at=moment) for one in Population(5, findings=1).made(9)]
    await filling.add(owner, twins)
    await owner.close()

    for order in ("newest", "oldest", "severity"):
        items = await _all(api, order=order, limit="2", received_from=moment.isoformat())
        assert sorted(item["id"] for item in items) == sorted(str(one.id) for one in twins)
