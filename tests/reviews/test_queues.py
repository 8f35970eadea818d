"""Queues over HTTP: what may be kept of them, by whom, and what is refused."""

from service.store import Conn
from tests.conftest import Api
from tests.web import sending


async def test_queues_are_made_changed_and_removed(api: Api, owner: Conn) -> None:
    """Policy staff keep them, each act is audited, a stale change is refused, `held` stays."""
    assert (await api.moderator.ask("POST", "/v1/queues", json={"name": "x"}))[0] == 403
    status, made, headers = await api.admin.ask("POST", "/v1/queues", json={"name": "x"})
    assert (status, made["title"], made["order"]) == (201, "x", "severity")
    tag = {"If-Match": headers["ETag"]}
    again = await api.admin.ask("POST", "/v1/queues", json={"name": "x"})
    sending.check_problem(again, 409, "queue_exists")

    changed = await api.policy.ask("PATCH", "/v1/queues/x", json={"sla_s": 60}, headers=tag)
    assert (changed[0], changed[1]["sla_s"], changed[1]["title"]) == (200, 60, "x")
    stale = await api.policy.ask("PATCH", "/v1/queues/x", json={"sla_s": 9}, headers=tag)
    sending.check_problem(stale, 412, "queue_changed")
    kept = await api.policy.ask("DELETE", "/v1/queues/held")
    sending.check_problem(kept, 409, "queue_kept")
    assert (await api.policy.ask("DELETE", "/v1/queues/x"))[0] == 204
    sending.check_problem(await api.policy.ask("GET", "/v1/queues/x"), 404, "not_found")
    acts = await owner.fetch("SELECT action FROM audit WHERE subject = 'x' ORDER BY id")
    assert [row["action"] for row in acts] == ["queue.create", "queue.change", "queue.remove"]


BAD_QUEUES = [
    {},
    {"name": "Upper"},
    {"name": "x", "colour": "red"},
    {"name": "x", "filter": {"colour": "red"}},
    {"name": "x", "filter": {"verdict": "maybe"}},
    {"name": "x", "order": "random"},
    {"name": "x", "reason_required": ["maybe"]},
    {"name": "x", "blur": "sometimes"},
    {"name": "x", "blur": {"severity": 5}},
    {"name": "x", "sla_s": 0},
    {"name": "x", "max_severity": 5},
    {"name": "x", "title": ""},
    {"name": "x", "title": None},
    {"name": "x", "title": "a\0b"},
]


async def test_a_bad_queue_is_refused(api: Api) -> None:
    """Nothing that cannot be meant is kept."""
    for settings in BAD_QUEUES:
        answer = await api.admin.ask("POST", "/v1/queues", json=settings)
        sending.check_problem(answer, 422, "validation_failed", str(settings))


async def test_a_queue_whose_filter_cannot_be_asked_is_not_kept(api: Api, owner: Conn) -> None:
    """A bad path is refused with its place, and the list of queues answers as before."""
    await api.admin.ask("POST", "/v1/queues", json={"name": "x"})
    bad = {"filter": {"where": "$.findings["}}

    made = await api.admin.ask("POST", "/v1/queues", json={"name": "y", **bad})
    changed = await api.admin.ask("PATCH", "/v1/queues/x", json=bad)

    for answer in (made, changed):
        sending.check_problem(answer, 400, "path_invalid")
        assert answer[1]["errors"][0]["field"] == "where"
    status, listed, _ = await api.moderator.ask("GET", "/v1/queues")
    assert (status, [one["name"] for one in listed["items"]]) == (200, ["held", "x"])
    assert listed["items"][1]["filter"] == {}
    assert await owner.fetchval("SELECT count(*) FROM audit WHERE action LIKE 'queue.%'") == 1
