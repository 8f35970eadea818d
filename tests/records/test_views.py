"""Saved views: kept for oneself or for all, changed by their owner or an administrator."""

from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import Api, Caller
from tests.web import sending

VIEWS = "/v1/views"
BODY: dict[str, Any] = {
    "name": "grave",
    "filter": {
        "min_severity": 3,
        "decision": "none",
        "received_from": "2026-11-01T00:00:00Z",
        "where": "$.findings[*] ? (@.confidence > 0.5)",
    },
    "order": "severity",
    "shared": True,
}


@pytest.fixture
async def colleague(api: Api) -> Caller:
    """Another moderator."""
    status, made, _ = await api.admin.ask(
        "POST", "/v1/tokens", json={"role": "moderator", "name": "Kim"}
    )
    assert status == 201, made
    return replace(api.moderator, token=made["token"])


async def _add(caller: Caller, **changes: Any) -> tuple[str, dict[str, Any]]:
    status, view, headers = await caller.ask("POST", VIEWS, json={**BODY, **changes})
    assert status == 201, view
    assert headers["Location"] == f"{VIEWS}/{view['id']}"
    return headers["ETag"], view


async def test_a_view_is_a_query_with_a_name(api: Api) -> None:
    """What is kept can be sent as the parameters of a list as it is."""
    _, view = await _add(api.moderator)

    status, read, _ = await api.moderator.ask("GET", f"{VIEWS}/{view['id']}")

    assert (status, read) == (200, view)
    assert {name: view[name] for name in BODY} == BODY
    assert view["owner"]["id"]
    query = {name: str(value) for name, value in view["filter"].items()} | {"order": view["order"]}
    status, page, _ = await api.moderator.ask("GET", "/v1/records", params=query)
    assert (status, page["items"]) == (200, [])


async def test_a_view_of_ones_own_is_nobody_elses(api: Api, colleague: Caller) -> None:
    """Others see shared views only; an administrator sees all."""
    _, shared = await _add(api.moderator)
    _, own = await _add(api.moderator, name="mine", shared=False)

    listed = {}
    for caller in (api.moderator, colleague, api.admin):
        _, page, _ = await caller.ask("GET", VIEWS)
        listed[caller.token] = [one["id"] for one in page["items"]]

    assert listed[colleague.token] == [shared["id"]]
    assert listed[api.moderator.token] == listed[api.admin.token] == [shared["id"], own["id"]]
    for method, body in (("GET", None), ("PUT", BODY), ("DELETE", None)):
        answer = await colleague.ask(method, f"{VIEWS}/{own['id']}", json=body)
        sending.check_problem(answer, 404, "not_found", method)


async def test_who_may_change_a_view(api: Api, colleague: Caller) -> None:
    """Its owner and an administrator may; a colleague is told that it is somebody else's."""
    _, view = await _add(api.moderator)
    path = f"{VIEWS}/{view['id']}"
    for method, body in (("PUT", BODY), ("DELETE", None)):
        answer = await colleague.ask(method, path, json=body)
        sending.check_problem(answer, 403, "not_owner", method)

    status, changed, _ = await api.admin.ask("PUT", path, json={**BODY, "name": "very grave"})

    assert (status, changed["name"], changed["owner"]) == (200, "very grave", view["owner"])
    status, _, _ = await api.moderator.ask("DELETE", path)
    assert status == 204
    answer = await api.moderator.ask("GET", path)
    sending.check_problem(answer, 404, "not_found")


async def test_a_stale_change_is_refused(api: Api) -> None:
    """With the tag of what was read, nobody overwrites what another wrote meanwhile."""
    tag, view = await _add(api.moderator)
    path = f"{VIEWS}/{view['id']}"
    _, _, headers = await api.admin.ask(
        "PUT", path, json={**BODY, "shared": False}, headers={"If-Match": tag}
    )
    for method in ("PUT", "DELETE"):
        answer = await api.moderator.ask(method, path, json=BODY, headers={"If-Match": tag})
        sending.check_problem(answer, 412, "view_changed", method)
    status, _, _ = await api.moderator.ask("DELETE", path, headers={"If-Match": headers["ETag"]})
    assert status == 204


async def test_a_name_is_taken_once_by_each(api: Api, colleague: Caller) -> None:
    """One's own names are unique; a colleague's do not count."""
    await _add(api.moderator)
    await _add(colleague)
    _, other = await _add(api.moderator, name="other")

    answer = await api.moderator.ask("POST", VIEWS, json=BODY)
    sending.check_problem(answer, 409, "view_exists")
    answer = await api.moderator.ask("PUT", f"{VIEWS}/{other['id']}", json=BODY)
    sending.check_problem(answer, 409, "view_exists")


async def test_views_come_in_pages(api: Api) -> None:
    """The oldest first, each once."""
    made = [(await _add(api.moderator, name=f"view {n}"))[1]["id"] for n in range(5)]
    seen, query = [], {"limit": "2"}
    while True:
        _, page, _ = await api.moderator.ask("GET", VIEWS, params=query)
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == made


BAD: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "a" * 101},
    {"name": "a\nb"},
    {"order": "best"},
    {"filter": {"colour": "red"}},
    {"filter": {"min_severity": "3"}},
    {"filter": {"received_from": "yesterday"}},
    {"filter": {"received_from": 5}},
    {"filter": {"where": "a\0b"}},
    {"filter": []},
    {"shared": "yes"},
    {"owner": "me"},
]


async def test_a_bad_view_is_refused(api: Api) -> None:
    """The filter of a view is checked as the parameters of a list are."""
    for changes in BAD:
        answer = await api.moderator.ask("POST", VIEWS, json={**BODY, **changes})
        sending.check_problem(answer, 422, "validation_failed", str(changes))
    for caller in (api.platform, api.policy):
        answer = await caller.ask("GET", VIEWS)
        sending.check_problem(answer, 403, "role_not_allowed")
