"""Who may post to a platform's hooks: each way of proving oneself, over HTTP."""

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.store import Conn, Pool
from tests.conftest import Api
from tests.hooks import posting
from tests.hooks.posting import AS_BEARER, BEARER, SECRET, WEBHOOK_SECRET
from tests.web import sending

BASIC = {"kind": "basic", "username": "tusd", "secrets": [SECRET]}
HMAC = {"kind": "hmac", "secrets": [SECRET]}
PATH = {"kind": "path", "secrets": [SECRET]}
STANDARD = {"kind": "standard-webhooks", "secrets": [WEBHOOK_SECRET]}
BODY = json.dumps(posting.inline()).encode()
WHERE = "generic/default"
AT_SECRET = f"{WHERE}/{SECRET.replace(' ', '%20')}"

RIGHT: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "bearer": (BEARER, WHERE, AS_BEARER),
    "basic": (BASIC, WHERE, posting.basic("tusd", SECRET)),
    "hmac": (HMAC, WHERE, posting.signed(BODY)),
    "path": (PATH, AT_SECRET, {}),
    "bearer at a path": (BEARER, f"{WHERE}/whatever", AS_BEARER),
}
WRONG: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "nothing": (BEARER, WHERE, {}),
    "another bearer": (BEARER, WHERE, {"Authorization": "Bearer something else that is long"}),
    "a secret in another way": (BEARER, WHERE, posting.basic("tusd", SECRET)),
    "another name": (BASIC, WHERE, posting.basic("minio", SECRET)),
    "another password": (BASIC, WHERE, posting.basic("tusd", "a password of somebody")),
    "a signature of something else": (HMAC, WHERE, posting.signed(BODY + b" ")),
    "a signature with another secret": (HMAC, WHERE, posting.signed(BODY, "another secret, long")),
    "another path": (PATH, f"{WHERE}/wrong", {}),
    "no path": (PATH, WHERE, {}),
    "a webhook that was not signed": (STANDARD, WHERE, {}),
    "a preset that is none": (BEARER, "s4/default", {}),
}


@pytest.mark.parametrize("how", RIGHT)
async def test_a_sender_that_proves_itself_is_taken(how: str, api: Api) -> None:
    """Each way that the platform allows is enough."""
    way, path, headers = RIGHT[how]
    await posting.configure(api, way)
    status, body, _ = await posting.post(api, path, BODY, headers)
    assert (status, body["items"][0]["status"]) == (202, "accepted")


@pytest.mark.parametrize("how", WRONG)
async def test_a_sender_that_does_not_is_refused(how: str, api: Api, owner: Conn) -> None:
    """A missing or wrong proof is 401 and stores nothing."""
    way, path, headers = WRONG[how]
    await posting.configure(api, way)
    answer = await posting.post(api, path, BODY, headers)
    sending.check_problem(answer, 401, "hook_not_authentic", how)
    assert answer[2]["WWW-Authenticate"] == 'Bearer, Basic realm="hooks"'
    assert await sending.stored(owner) == sending.NOTHING


async def test_a_signed_webhook_is_taken_while_it_is_new(api: Api) -> None:
    """Signed now it is taken; signed six minutes ago or ahead, or with another key, it is not."""
    await posting.configure(api, STANDARD)
    fresh = await posting.post(api, WHERE, BODY, posting.signed_webhook(BODY))
    assert fresh[0] == 202, fresh[1]
    for headers in (
        posting.signed_webhook(BODY, seconds_ago=360),
        posting.signed_webhook(BODY, seconds_ago=-360),
        posting.signed_webhook(BODY, key=b"the key of somebody else."),
    ):
        answer = await posting.post(api, WHERE, BODY, headers)
        sending.check_problem(answer, 401, "hook_not_authentic")


@pytest.mark.parametrize(
    ("way", "headers"), [(STANDARD, posting.signed_webhook), (HMAC, posting.signed)]
)
async def test_a_replayed_message_makes_nothing_new(
    way: dict[str, Any], headers: Any, api: Api
) -> None:
    """What was signed names the message, also where nothing in it tells events apart."""
    await posting.configure(api, way, generic={"items": "/all"})
    body = json.dumps({"all": [posting.inline(), posting.inline()]}).encode()

    first, again = [(await posting.post(api, WHERE, body, headers(body)))[1] for _ in range(2)]

    assert [one["status"] for one in first["items"]] == ["accepted", "accepted"]
    assert again == {"items": [{**one, "status": "known"} for one in first["items"]]}


async def test_another_platforms_secret_opens_nothing(api: Api, owner: Conn, pool: Pool) -> None:
    """A secret, and an event, are one platform's own."""
    await sending.caller(api, pool, "platform", "other")
    theirs = {"kind": "bearer", "secrets": ["what the other's sender knows"]}
    event = {"event_id": "/id"}
    await posting.configure(api, BEARER, generic=event)
    await posting.configure(api, theirs, platform="other", generic=event)
    message = posting.inline(id=1)

    crossed = await posting.post(api, "generic/other", message, AS_BEARER)
    sending.check_problem(crossed, 401, "hook_not_authentic")
    own = await posting.post(api, WHERE, message, AS_BEARER)
    bearer = {"Authorization": f"Bearer {theirs['secrets'][0]}"}
    others = await posting.post(api, "generic/other", message, bearer)

    assert [one[1]["items"][0]["status"] for one in (own, others)] == ["accepted", "accepted"]
    assert await owner.fetchval("SELECT count(DISTINCT platform) FROM uploads") == 2


async def test_an_unknown_platform_is_answered_like_a_wrong_proof(api: Api, pool: Pool) -> None:
    """Nothing tells a platform that exists from one that does not, or has no hooks set up."""
    await sending.caller(api, pool, "platform", "bare")
    await posting.configure(api, BEARER)
    answers = []
    for platform in ("default", "bare", "nobody", "No!Name", "%00", "%ff", "golden-examples"):
        for more in ("", "/a%20wrong%20secret"):
            status, body, headers = await posting.post(api, f"generic/{platform}{more}", BODY)
            answers.append((status, body, sorted(dict(headers).items() - {("Date", "")})))
    without_date = [
        (status, body, [one for one in headers if one[0] != "Date"])
        for status, body, headers in answers
    ]
    assert all(answer == without_date[0] for answer in without_date)
    assert without_date[0][0] == 401


async def test_a_senders_requests_count_in_its_platforms_rate(api: Api, owner: Conn) -> None:
    """Over the rate 429 with Retry-After; who proves nothing uses nothing of it up."""
    await posting.configure(api, BEARER)
    await owner.execute("UPDATE platforms SET max_requests_per_s = 0.001 WHERE name = 'default'")
    for _ in range(3):
        assert (await posting.post(api, WHERE, BODY))[0] == 401

    assert (await posting.post(api, WHERE, BODY, AS_BEARER))[0] == 202
    over = await posting.post(api, WHERE, BODY, AS_BEARER)

    sending.check_problem(over, 429, "quota_exceeded")
    assert int(over[2]["Retry-After"]) > 0


async def test_a_secret_path_is_told_to_nobody(
    api: Api, owner: Conn, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither an answer nor a log line nor a metric has it, whatever goes wrong."""
    await posting.configure(api, {"kind": "path", "secrets": ["the-secret-of-this-path"]})
    path = f"{WHERE}/the-secret-of-this-path"
    told = [
        await posting.post(api, path, BODY),
        await posting.post(api, path, b"{}"),
        await posting.post(api, f"{path}x", BODY),
        await posting.post(api, f"{path}/", BODY),
        await posting.post(api, f"generic/the-secret-of-this-path/{SECRET[0]}", BODY),
        await posting.post(api, f"{path}?colour=red", BODY),
        await api.platform.ask("GET", f"/v1/hooks/{path}"),
        await api.platform.ask("OPTIONS", f"/v1/hooks/{path}"),
    ]
    await owner.execute("ALTER TABLE platforms RENAME COLUMN hooks TO elsewhere")
    told.append(await posting.post(api, path, BODY))
    metrics = (await api.admin.ask("GET", "/metrics"))[1].decode()

    logged = "".join(capsys.readouterr())
    assert [answer[0] for answer in told] == [202, 422, 401, 404, 401, 422, 405, 200, 500]
    assert "hook_not_authentic" in logged
    assert "request_failed" in logged
    for text in (*(f"{body}{headers}" for _, body, headers in told), logged, metrics):
        assert "the-secret-of-this-path" not in text
    routes = {
        sample.labels["route"]
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if "route" in sample.labels
    }
    assert "/v1/hooks/{preset}/{platform}/{secret}" in routes
