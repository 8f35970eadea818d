"""Gates: only what is done and allowed is ever opened, whoever asks and however."""

import asyncio
import itertools
import json
import time
from typing import Any, get_args

import pytest

from service import applying
from service.policy.verdicts import Outcome, Verdict
from service.store import Conn
from service.web import gating
from tests import draw
from tests.conftest import Api
from tests.hooks import EVERY, posting
from tests.hooks.posting import AS_BEARER, BEARER, PNG
from tests.reviews.people import make_due
from tests.upstream import Upstream, described, finding
from tests.web import ended, sending

STATES = ("queued", "working", "done", "failed", "deleted", "", "some other")
VERDICTS = (*get_args(Verdict), "", "ALLOW", "allowed")
OPEN = {"allow", "allow_edited"}
PNG_TYPE = {"Content-Type": "image/png"}
BUCKET = ("my-upload-bucket",)


def test_only_what_is_done_and_allowed_opens() -> None:
    """Open needs an allowing verdict, of what is done or what failed and a person decided."""
    for state, verdict, decided in itertools.product(STATES, VERDICTS, (False, True)):
        gate = gating.decide(state, verdict, decided=decided)
        counts = state == "done" or (state == "failed" and decided)
        if counts and verdict in get_args(Verdict):
            assert gate == verdict
        else:
            assert gate == "hold", (state, verdict, decided)


# The database itself keeps no other outcome that is allowed.
STORED = [
    (state, outcome, verdict)
    for state, outcomes in (
        ("done", get_args(Outcome)),
        ("failed", ("refused", "exhausted", "unreadable")),
    )
    for outcome, verdict in itertools.product(outcomes, get_args(Verdict))
    if verdict not in OPEN or outcome in ("clean", "redacted")
]


async def test_the_gate_of_every_upload_that_can_be_stored(api: Api, owner: Conn) -> None:
    """GET tells the gate of the row as it is; only allow_edited has the address of the edit."""
    for state, outcome, verdict in STORED:
        image = f"{outcome} {verdict}".encode()
        one = ended.Ended(outcome, verdict, state, image=image)
        upload = await ended.add(owner, one)
        status, gate, _ = await api.platform.ask("GET", f"/v1/uploads/{upload}/gate")
        expected = verdict if state == "done" else "hold"
        address = f"https://example.org/v1/uploads/{upload}/images/edited"
        assert (status, gate) == (
            200,
            {
                "gate": expected,
                "upload": str(upload),
                "state": state,
                "outcome": outcome,
                "verdict": verdict,
                "edited": address if expected == "allow_edited" else None,
            },
        )


async def test_a_person_who_changes_the_verdict_changes_the_gate(api: Api, owner: Conn) -> None:
    """The gate is that of now: a decision closes what was open, and opens even what failed."""
    for one, before, decision in (
        (ended.Ended("clean", "allow"), "allow", "block"),
        (ended.Ended("refused", "hold", "failed"), "hold", "allow"),
    ):
        upload = await ended.add(owner, one)
        where = f"/v1/uploads/{upload}/gate"
        assert (await api.platform.ask("GET", where))[1]["gate"] == before
        reviewed = await api.moderator.ask(
            "POST", f"/v1/reviews/{upload}/decision", json={"decision": decision, "reason": "seen"}
        )
        assert reviewed[0] == 201, reviewed
        assert (await api.platform.ask("GET", where))[1]["gate"] == before
        await make_due(owner)
        assert await applying.apply_due(owner, "https://example.org") == 1
        assert (await api.platform.ask("GET", where))[1]["gate"] == decision


@pytest.mark.usefixtures("working")
async def test_an_upload_is_answered_with_its_gate(api: Api, upstream: Upstream) -> None:
    """In time it is 200 and the edit can be fetched; the repeated request gets the gate of now."""
    upstream.script = [described(findings=[finding("bystander-faces")])]
    key = {"Idempotency-Key": "one", **PNG_TYPE}
    ask = ("POST", "/v1/uploads?answer=gate")

    status, gate, headers = await api.platform.ask(
        *ask, data=PNG, headers={"Prefer": "wait=30", **key}
    )
    again = await api.platform.ask(*ask, data=PNG, headers=key)

    assert (status, gate["gate"], gate["outcome"]) == (200, "allow_edited", "redacted")
    assert headers["Location"] == f"/v1/uploads/{gate['upload']}"
    assert again[:2] == (200, gate)
    path = gate["edited"].removeprefix("https://example.org")
    assert (await api.platform.ask("GET", path))[0] == 200


async def test_what_is_unfinished_holds(api: Api) -> None:
    """Without a wait, or when it is over, the answer is 202 and hold."""
    for prefer in ("", "wait=1"):
        begin = time.perf_counter()
        status, gate, _ = await api.platform.ask(
            *("POST", "/v1/uploads?answer=gate"), data=PNG, headers={"Prefer": prefer, **PNG_TYPE}
        )
        assert (status, gate["gate"], gate["edited"]) == (202, "hold", None)
        assert gate["state"] == "queued"
        assert time.perf_counter() - begin > (0.9 if prefer else 0)


@pytest.mark.usefixtures("working")
async def test_what_failed_holds(api: Api) -> None:
    """A picture that cannot be read is answered at once, and stays shut."""
    cut = draw.jpeg(64, 64, "teal")[:200]
    headers = {"Prefer": "wait=30", "Content-Type": "image/jpeg"}
    status, gate, _ = await api.platform.ask(
        "POST", "/v1/uploads?answer=gate", data=cut, headers=headers
    )
    assert (status, gate["gate"], gate["state"]) == (200, "hold", "failed")
    assert gate["outcome"] == "unreadable"


@pytest.mark.usefixtures("working")
async def test_a_hook_is_answered_with_its_gate(api: Api, upstream: Upstream) -> None:
    """A sender that cannot set headers says in the address how long it waits."""
    upstream.script = [described(findings=[finding("bystander-faces")])]
    await posting.configure(api, BEARER)
    status, gate, _ = await posting.post(
        api, "generic/default?answer=gate&wait=30", posting.inline(), AS_BEARER
    )
    assert (status, gate["gate"]) == (200, "allow_edited")


async def test_a_gate_is_of_one_upload(api: Api, owner: Conn) -> None:
    """A message that tells of two is refused before any is taken; a test event has no gate."""
    await posting.configure(api, BEARER, generic={"items": "/all"})
    two = {"all": [posting.inline(), posting.inline()]}
    refused = await posting.post(api, "generic/default?answer=gate", two, AS_BEARER)
    sending.check_problem(refused, 422, "validation_failed")
    assert await sending.stored(owner) == sending.NOTHING

    tested = await posting.post(
        api, "s3/default?answer=gate", EVERY["s3_aws_test_event"].body, AS_BEARER
    )
    assert (tested[0], tested[1]["items"][0]["status"]) == (200, "ignored")


async def pre_finish(api: Api, query: str = "") -> dict[str, Any]:
    """What tusd is answered before an upload is finished."""
    sample = EVERY["tus_pre_finish"]
    status, reply, _ = await posting.post(api, f"tus/default{query}", sample.body, AS_BEARER)
    assert status == 200, reply
    response: dict[str, Any] = reply["HTTPResponse"]
    return response


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [(outcome, verdict) for state, outcome, verdict in STORED if state == "done"],
)
async def test_tusds_client_hears_the_gate(
    outcome: str, verdict: str, api: Api, owner: Conn
) -> None:
    """Blocked is a 403 that names the upload; all else is a success that tells the gate."""
    await posting.configure(api, BEARER, buckets=BUCKET)
    first = await pre_finish(api)
    upload = await ended.add(owner, ended.Ended(outcome, verdict))
    await owner.execute("UPDATE hook_events SET upload_id = $1", upload)

    response = await pre_finish(api, "?wait=30")

    assert first["Header"]["Moderation-Gate"] == "hold"
    told = {"Moderation-Upload": str(upload), "Moderation-Gate": verdict}
    if verdict == "block":
        assert response["StatusCode"] == 403
        assert json.loads(response["Body"]) == {"upload": str(upload), "gate": "block"}
        assert response["Header"] == {**told, "Content-Type": "application/json"}
    else:
        assert response == {"Header": told}


END_FETCH = "UPDATE fetches SET ended_at = now() WHERE upload_id = $1"
END_UPLOAD = """
    UPDATE uploads
       SET state = 'failed', outcome = 'not_fetched', waiting_for = NULL, due_at = now(),
           finished_at = now()
     WHERE id = $1 AND pg_notify('uploads_finished', $1::text) IS NOT NULL
"""


async def test_an_image_that_cannot_be_fetched_holds(api: Api, owner: Conn) -> None:
    """Who waits for it hears so when that is known, not when the time is up."""
    await posting.configure(api, BEARER, buckets=BUCKET)
    waiting = asyncio.create_task(pre_finish(api, "?wait=60"))

    async def taken() -> bool:
        return bool(await owner.fetchval("SELECT count(*) FROM uploads"))

    await sending.until(taken)
    upload = await owner.fetchval("SELECT id FROM uploads")
    async with owner.transaction():
        await owner.execute(END_FETCH, upload)
        await owner.execute(END_UPLOAD, upload)

    async with asyncio.timeout(15):
        assert (await waiting)["Header"]["Moderation-Gate"] == "hold"
    gate = (await api.platform.ask("GET", f"/v1/uploads/{upload}/gate"))[1]
    assert (gate["gate"], gate["outcome"]) == ("hold", "not_fetched")
