"""Endpoints and the log of callbacks over HTTP."""

from typing import Any

import pytest

from service import auth, ids, standard_webhooks
from service.store import Conn
from tests.callbacks.conftest import Delivering
from tests.callbacks.driving import make_due, subscribe, tell, tries
from tests.callbacks.receivers import receiving, says
from tests.conftest import Api, Caller

URL = "https://hooks.example.org/moderation?key=1"
ENDPOINTS = "/v1/callbacks/endpoints"


async def added(api: Api, **body: Any) -> dict[str, Any]:
    """Add an endpoint as the platform."""
    status, made, headers = await api.platform.ask("POST", ENDPOINTS, json={"url": URL, **body})
    assert status == 201, made
    assert headers["Location"] == f"{ENDPOINTS}/{made['id']}"
    found: dict[str, Any] = made
    return found


async def stranger(api: Api, owner: Conn) -> Caller:
    """Another platform."""
    token = auth.new_token("platform")
    await owner.execute("INSERT INTO platforms (name) VALUES ('stranger')")
    await owner.execute(
        "INSERT INTO tokens (id, sha256, role, platform) VALUES ($1, $2, 'platform', 'stranger')",
        ids.uuid7(),
        auth.digest(token),
    )
    return Caller(api.platform.session, api.url, token)


async def test_an_endpoint_is_added_read_changed_and_removed(api: Api, owner: Conn) -> None:
    """The secret is told when it is made and never again; each act is in the audit trail."""
    made = await added(api)
    secret, path = made.pop("secret"), f"{ENDPOINTS}/{made['id']}"
    assert len(standard_webhooks.key_of(secret)) == 32
    assert made["events"] == ["upload.decided", "upload.described", "upload.failed"]
    assert (await api.platform.ask("GET", path))[1] == {**made, "secret": None}
    change = {"events": ["upload.failed"], "disabled": True, "rotate_secret": True}
    status, changed, _ = await api.platform.ask("PATCH", path, json=change)
    assert (status, changed["events"]) == (200, ["upload.failed"])
    assert changed["disabled_reason"].startswith("disabled by token:")
    assert changed["secret"] not in (None, secret)
    assert changed["old_secret_until"] is not None
    status, enabled, _ = await api.admin.ask("PATCH", path, json={"disabled": False, "url": URL})
    assert (status, enabled["disabled_at"], enabled["events"]) == (200, None, ["upload.failed"])
    assert (await api.platform.ask("DELETE", path))[0] == 204
    assert (await api.platform.ask("DELETE", path))[0] == 404
    acts = await owner.fetch(
        "SELECT action, detail FROM audit WHERE subject = $1 ORDER BY id", made["id"]
    )
    assert [act["action"] for act in acts] == [
        "endpoint.create",
        "endpoint.change",
        "endpoint.change",
        "endpoint.remove",
    ]
    assert "whsec_" not in str(acts)


REFUSED = {
    "nothing": (None, "validation_failed", "url"),
    "no url": ({}, "validation_failed", "url"),
    "no address": ({"url": "hooks"}, "url_not_allowed", "http(s)://"),
    "ftp": ({"url": "ftp://a.example/"}, "url_not_allowed", "http(s)://"),
    "user": ({"url": "https://a:b@c.example/"}, "url_not_allowed", "no user name"),
    "fragment": ({"url": "https://c.example/#a"}, "url_not_allowed", "fragment"),
    "port": ({"url": "https://c.example:8443/"}, "url_not_allowed", "80 and 443"),
    "loopback": ({"url": "http://127.0.0.1/"}, "url_not_allowed", "not a public address"),
    "loopback 6": ({"url": "http://[::1]/"}, "url_not_allowed", "not a public address"),
    "decimal": ({"url": "http://2130706433/"}, "url_not_allowed", "not a public address"),
    "too long": ({"url": f"https://c.example/{'a' * 2000}"}, "validation_failed", "2000"),
    "no events": ({"url": URL, "events": []}, "validation_failed", "at least 1 item"),
    "unknown event": ({"url": URL, "events": ["all"]}, "validation_failed", "events"),
    "unknown field": ({"url": URL, "secret": "mine"}, "validation_failed", "secret"),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_cannot_be_called_is_refused(kind: str, api: Api) -> None:
    """Each refusal says what is wrong with the value and what is allowed."""
    body, code, words = REFUSED[kind]
    status, problem, _ = await api.platform.ask("POST", ENDPOINTS, json=body)
    assert (status, problem["code"]) == (422, code)
    assert words in problem["detail"]


async def test_a_platform_has_twenty_endpoints_at_most(api: Api) -> None:
    """One more is refused; an administrator has to say of which platform it is."""
    for _ in range(20):
        await added(api)
    status, problem, _ = await api.platform.ask("POST", ENDPOINTS, json={"url": URL})
    assert (status, problem["code"]) == (422, "too_many_endpoints")
    for body, code in (
        ({"url": URL}, "validation_failed"),
        ({"url": URL, "platform": "nobody"}, "platform_unknown"),
    ):
        status, problem, _ = await api.admin.ask("POST", ENDPOINTS, json=body)
        assert (status, problem["code"]) == (422, code)
    _, page, _ = await api.platform.ask("GET", f"{ENDPOINTS}?limit=15")
    _, rest, _ = await api.admin.ask("GET", f"{ENDPOINTS}?limit=15&cursor={page['next']}")
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (15, 5, None)
    assert "secrets" not in page["items"][0]


async def test_another_platforms_are_not_found(api: Api, owner: Conn) -> None:
    """Endpoints, log and redelivery of another platform answer like what never was."""
    made = await added(api)
    callback = await tell(owner)
    other = await stranger(api, owner)
    for method, path, body in (
        ("GET", f"{ENDPOINTS}/{made['id']}", None),
        ("PATCH", f"{ENDPOINTS}/{made['id']}", {"disabled": True}),
        ("DELETE", f"{ENDPOINTS}/{made['id']}", None),
        ("POST", f"/v1/callbacks/{callback}/redeliver", None),
        ("GET", "/v1/callbacks?platform=default", None),
    ):
        status, problem, _ = await other.ask(method, path, json=body)
        assert (status, problem["code"]) == (404, "not_found"), path
    for path in (ENDPOINTS, "/v1/callbacks"):
        assert (await other.ask("GET", path))[1] == {"items": [], "next": None}
    everything = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    _, queued, _ = await other.ask("POST", "/v1/callbacks/redeliver", json=everything)
    assert queued == {"queued": 0}
    assert (await api.moderator.ask("GET", "/v1/callbacks"))[0] == 403


async def test_the_log_has_every_try(api: Api, owner: Conn, delivering: Delivering) -> None:
    """Failed and successful tries of each message are listed, the newest message first."""
    async with receiving(says(500), says(200)) as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        first = await tell(owner)
        await tries(owner, 1)
        await make_due(owner)
        await tries(owner, 2)
        second = await tell(owner)
        await tries(owner, 3)
    _, page, _ = await api.platform.ask("GET", "/v1/callbacks?limit=1")
    assert [one["id"] for one in page["items"]] == [str(second)]
    _, rest, _ = await api.platform.ask("GET", f"/v1/callbacks?cursor={page['next']}")
    (logged,) = rest["items"]
    assert (logged["id"], logged["platform"], logged["type"]) == (
        str(first),
        "default",
        "upload.described",
    )
    assert logged["endpoints"] == [
        {"endpoint": str(told.endpoint.id), "state": "delivered", "due_at": None}
    ]
    assert [
        (one["attempt"], one["status"], one["error"], one["delivered_at"] is not None)
        for one in logged["deliveries"]
    ] == [(1, 500, "the receiver answered HTTP 500", False), (2, 200, None, True)]
    upload = logged["upload_id"]
    for query, number in (
        (f"upload={upload}", 1),
        ("state=delivered", 2),
        ("state=waiting", 0),
        ("platform=default", 2),
    ):
        _, found, _ = await api.admin.ask("GET", f"/v1/callbacks?{query}")
        assert len(found["items"]) == number, query


async def test_one_or_a_range_is_sent_once_more(
    api: Api, owner: Conn, delivering: Delivering
) -> None:
    """A redelivery brings the same bytes by the same id, to endpoints that are newer too."""
    async with receiving() as receiver, receiving() as newer, delivering():
        await subscribe(owner, receiver.url)
        one, two = await tell(owner), await tell(owner)
        await tries(owner, 2)
        path = f"/v1/callbacks/{one}/redeliver"
        assert (await api.platform.ask("POST", path))[:2] == (202, {"queued": 1})
        await tries(owner, 3)
        added_later = await subscribe(owner, newer.url)
        everything: dict[str, str] = {
            "from": "2020-01-01T00:00:00Z",
            "to": "2100-01-01T00:00:00Z",
            "endpoint": str(added_later.endpoint.id),
        }
        status, queued, _ = await api.admin.ask("POST", "/v1/callbacks/redeliver", json=everything)
        assert (status, queued) == (202, {"queued": 2})
        await tries(owner, 5)
        nothing = {**everything, "state": "failed"}
        _, queued, _ = await api.platform.ask("POST", "/v1/callbacks/redeliver", json=nothing)
        assert queued == {"queued": 0}
    assert sorted(each.id for each in newer.came) == sorted([str(one), str(two)])
    bodies = {each.id: each.body for each in receiver.came}
    assert all(bodies[each.id] == each.body for each in (*receiver.came, *newer.came))
    assert len(receiver.came) == 3


async def test_metrics_tell_of_endpoints_and_what_waits(
    api: Api, owner: Conn, delivering: Delivering
) -> None:
    """An operator is alerted by numbers: disabled endpoints, and how long what waits has waited."""
    async with receiving(says(410)) as receiver, delivering():
        await subscribe(owner, receiver.url)
        await subscribe(owner, "https://example.org/", "other")
        await tell(owner)
        await tries(owner, 1)
    _, text, _ = await api.platform.ask("GET", "/metrics")
    lines = text.decode().splitlines()
    assert 'moderation_callback_endpoints{standing="disabled"} 1.0' in lines
    assert 'moderation_callback_endpoints{standing="well"} 1.0' in lines
    assert "moderation_callbacks_waiting 1.0" in lines


async def test_only_the_endpoint_that_was_read_is_changed(
    api: Api, owner: Conn, delivering: Delivering
) -> None:
    """With If-Match a change or removal happens once; how deliveries fare changes no tag."""
    async with receiving(says(500)) as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        path = f"{ENDPOINTS}/{told.endpoint.id}"
        _, _, headers = await api.platform.ask("GET", path)
        await tell(owner)
        await tries(owner, 1)
    read = headers["ETag"]
    _, failing, headers = await api.platform.ask("GET", path)
    assert failing["failing_since"] is not None
    assert headers["ETag"] == read
    changes: list[dict[str, object]] = [
        {"events": ["upload.failed"]},
        {"disabled": True},
        {"rotate_secret": True},
    ]
    for change in changes:
        status, _, headers = await api.admin.ask(
            "PATCH", path, json=change, headers={"If-Match": read}
        )
        assert (status, headers["ETag"] != read) == (200, True), change
        for method, body in (("PATCH", change), ("DELETE", None)):
            status, problem, _ = await api.platform.ask(
                method, path, json=body, headers={"If-Match": read}
            )
            assert (status, problem["code"]) == (412, "endpoint_changed")
        read = headers["ETag"]
    either = {"If-Match": f'"other", {read}'}
    assert (await api.platform.ask("DELETE", path, headers=either))[0] == 204
