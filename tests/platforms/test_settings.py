"""A platform's settings: set by administrators, read by itself, changed by one at a time."""

import asyncio
from typing import Any

import pytest

from service.store import Conn, Pool
from tests import rulesets
from tests.conftest import Api
from tests.web import sending
from tests.web.sending import PNG

CLUB = "/v1/platforms/club"
DEFAULTS = {
    "default_ruleset": None,
    "reuse": True,
    "max_requests_per_s": None,
    "max_uploads_per_day": None,
    "max_bytes_per_day": None,
}


@pytest.fixture
async def club(api: Api) -> dict[str, Any]:
    """A platform that was just added."""
    order = {"name": "club", "max_uploads_per_day": 10}
    status, body, headers = await api.admin.ask("POST", "/v1/platforms", json=order)
    assert (status, headers["Location"], headers["ETag"]) == (201, CLUB, '"2"'), body
    added: dict[str, Any] = body
    return added


async def test_a_platform_is_added_with_settings(api: Api, club: dict[str, Any]) -> None:
    """What is not named is the service's default; the same name again is refused."""
    given = {"name": "club", "max_uploads_per_day": 10, "uploads_today": 0, "bytes_today": 0}
    assert club | DEFAULTS | given == club
    assert (await api.admin.ask("GET", CLUB))[1] == club
    again = await api.admin.ask("POST", "/v1/platforms", json={"name": "club"})
    sending.check_problem(again, 409, "platform_exists")


@pytest.mark.usefixtures("club")
async def test_only_what_is_named_changes(api: Api, owner: Conn) -> None:
    """Null takes a setting back; an empty change is none; each change is in the audit trail."""
    _, _, headers = await api.admin.ask("PATCH", CLUB, json={})
    assert headers["ETag"] == '"2"'
    status, body, _ = await api.admin.ask(
        "PATCH", CLUB, json={"max_requests_per_s": 5, "reuse": False}
    )
    assert (status, body["max_uploads_per_day"], body["max_requests_per_s"]) == (200, 10, 5)
    _, body, _ = await api.admin.ask("PATCH", CLUB, json={"max_uploads_per_day": None})
    assert (body["max_uploads_per_day"], body["max_requests_per_s"], body["reuse"]) == (
        None,
        5,
        False,
    )
    rows = await owner.fetch("SELECT actor, detail FROM audit WHERE action = 'platform.set'")
    assert [row["detail"] for row in rows] == [
        {"max_uploads_per_day": 10},
        {"reuse": False, "max_requests_per_s": 5},
        {"max_uploads_per_day": None},
    ]
    assert all(row["actor"].startswith("token:") for row in rows)


@pytest.mark.usefixtures("club")
async def test_of_changes_at_once_one_wins(api: Api) -> None:
    """Whoever changes what another has changed meanwhile is told so, and nothing is lost."""
    changes = [
        api.admin.ask("PATCH", CLUB, json={"max_uploads_per_day": n}, headers={"If-Match": '"2"'})
        for n in range(1, 9)
    ]
    answers = await asyncio.gather(*changes)
    won = [body for status, body, _ in answers if status == 200]
    assert len(won) == 1
    for answer in answers:
        if answer[0] != 200:
            sending.check_problem(answer, 412, "platform_changed")
    assert (await api.admin.ask("GET", CLUB))[1] == won[0]
    weak = await api.admin.ask("PATCH", CLUB, json={"reuse": False}, headers={"If-Match": 'W/"3"'})
    sending.check_problem(weak, 412, "platform_changed")
    for tag in ('"9", "3"', "*"):
        matched = await api.admin.ask(
            "PATCH", CLUB, json={"reuse": True}, headers={"If-Match": tag}
        )
        assert matched[0] == 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_requests_per_s": 0}, "validation_failed"),
    ({"max_requests_per_s": -1}, "validation_failed"),
    ({"max_requests_per_s": "5"}, "validation_failed"),
    ({"max_uploads_per_day": 1.5}, "validation_failed"),
    ({"max_bytes_per_day": 2**53}, "validation_failed"),
    ({"reuse": None}, "validation_failed"),
    ({"default_ruleset": "nothing"}, "ruleset_unknown"),
    ({"default_ruleset": "No Name"}, "validation_failed"),
    ({"revision": 7}, "validation_failed"),
]


@pytest.mark.usefixtures("club")
async def test_a_wrong_setting_changes_nothing(api: Api) -> None:
    """Each is refused by name, for a new platform as for an old one."""
    before = await api.admin.ask("GET", CLUB)
    for settings, code in WRONG:
        changed = await api.admin.ask("PATCH", CLUB, json={"max_bytes_per_day": 1, **settings})
        sending.check_problem(changed, 422, code, str(settings))
        added = await api.admin.ask("POST", "/v1/platforms", json={"name": "new", **settings})
        sending.check_problem(added, 422, code, str(settings))
    assert (await api.admin.ask("GET", CLUB))[1] == before[1]
    for name in ("", "Upper", "a b", "golden-examples"):
        added = await api.admin.ask("POST", "/v1/platforms", json={"name": name})
        sending.check_problem(added, 422, "validation_failed", name)
    missing = await api.admin.ask("PATCH", "/v1/platforms/new", json={})
    sending.check_problem(missing, 404, "not_found")


async def test_a_platforms_own_ruleset_judges_its_uploads(api: Api, pool: Pool) -> None:
    """Where an upload names none; a name that is given counts more, and others are not touched."""
    await rulesets.add(api.policy, rulesets.source(title="Club"))
    await rulesets.publish(api.policy, 1)
    club = await sending.caller(api, pool, "platform", "club")
    assert (await club.upload(PNG))["ruleset"]["name"] == "privacy"
    assert (await api.admin.ask("PATCH", CLUB, json={"default_ruleset": "shop"}))[0] == 200
    assert (await club.upload(PNG))["ruleset"]["name"] == "shop"
    assert (await club.upload(PNG, "?ruleset=privacy"))["ruleset"]["name"] == "privacy"
    assert (await api.platform.upload(PNG))["ruleset"]["name"] == "privacy"


@pytest.mark.usefixtures("club")
async def test_a_platform_reads_its_own_alone(api: Api) -> None:
    """The list has one platform, and another's address is answered like none."""
    await api.platform.upload(PNG)
    _, body, _ = await api.platform.ask("GET", "/v1/platforms")
    assert [(one["name"], one["uploads_today"], one["bytes_today"]) for one in body["items"]] == [
        ("default", 1, len(PNG))
    ]
    assert (await api.platform.ask("GET", "/v1/platforms/default"))[1] == body["items"][0]
    everyone = (await api.admin.ask("GET", "/v1/platforms"))[1]["items"]
    assert {"club", "default"} <= {one["name"] for one in everyone}
