"""Messages posted over HTTP become uploads, once each; the answer tells of every part of them."""

import asyncio
import json
from typing import Any

import pytest

from service.store import Conn
from tests import draw
from tests.conftest import Api
from tests.hooks import EVERY, NAMES, posting
from tests.hooks.posting import AS_BEARER, BEARER
from tests.web import sending

JSON = {"content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
BINARY = {f"ce-{name}": value for name, value in EVENT.items()}


async def prepared(api: Api, name: str) -> None:
    """Let the platform accept a sample, whatever buckets it is about."""
    sample = EVERY[name]
    sources = [told["source"] for told in sample.understood if told["understood"] == "image"]
    buckets = {source["bucket"] for source in sources if "bucket" in source}
    await posting.configure(api, BEARER, buckets=tuple(sorted(buckets)), **sample.settings)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("tus")])
async def test_every_part_of_a_message_is_answered(name: str, api: Api, owner: Conn) -> None:
    """Images become uploads that are queued or fetched, the rest is ignored or refused by name."""
    sample = EVERY[name]
    await prepared(api, name)

    status, body, _ = await posting.post_sample(api, sample)

    images = [told for told in sample.understood if told["understood"] == "image"]
    assert status == (202 if images else 200), body
    for told, item in zip(sample.understood, body["items"], strict=True):
        match told["understood"]:
            case "ignored":
                assert (item["status"], item["detail"]) == ("ignored", told["reason"])
            case "fault":
                assert (item["status"], item["code"]) == ("refused", "hook_malformed")
                assert item["detail"] == told["message"]
            case "image":
                assert item["status"] == "accepted", item
                assert item["location"] == f"/v1/uploads/{item['upload']}"
                await check_upload(api, item["location"], told)
    assert await owner.fetchval("SELECT count(*) FROM uploads") == len(images)


async def check_upload(api: Api, location: str, told: dict[str, Any]) -> None:
    """Check that an upload is what its message told of."""
    status, upload, _ = await api.platform.ask("GET", location)
    assert (status, upload["state"], upload["platform"]) == (200, "queued", "default")
    # The same bytes again wait for the first one's result.
    here = (None, "reuse") if "image_bytes" in told["source"] else ("fetch",)
    assert upload["waiting_for"] in here
    assert (upload["external_id"], upload["metadata"]) == (told["external_id"], told["metadata"])


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("tus")])
async def test_tusd_gets_a_reply_that_it_understands(name: str, api: Api, owner: Conn) -> None:
    """Always 200; before the end of an upload its client is told the upload and its gate."""
    sample = EVERY[name]
    await prepared(api, name)

    status, reply, headers = await posting.post_sample(api, sample)

    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/json")
    uploads = [row["id"] for row in await owner.fetch("SELECT id FROM uploads")]
    images = [told for told in sample.understood if told["understood"] == "image"]
    assert len(uploads) == len(images)
    for upload, told in zip(uploads, images, strict=True):
        await check_upload(api, f"/v1/uploads/{upload}", told)
    if name == "tus_pre_finish":
        told = {"Moderation-Upload": str(uploads[0]), "Moderation-Gate": "hold"}
        assert reply == {"HTTPResponse": {"Header": told}}
    else:
        assert reply == {}


@pytest.mark.parametrize(
    "name",
    ["s3_aws", "s3_minio", "s3_r2_batch", "s3_seaweedfs", "cloudevents_batch", "tus_pre_finish"],
)
async def test_a_repeated_event_makes_nothing_new(name: str, api: Api, owner: Conn) -> None:
    """Whoever tells of an event again gets the same uploads."""
    await prepared(api, name)
    first, again = [(await posting.post_sample(api, EVERY[name]))[1] for _ in range(2)]

    if name.startswith("tus"):
        assert again == first
    else:
        known = [{**one, "status": "known"} for one in first["items"] if one["upload"]]
        assert [one for one in again["items"] if one["upload"]] == known
    images = [one for one in EVERY[name].understood if one["understood"] == "image"]
    assert await owner.fetchval("SELECT count(*) FROM uploads") == len(images)


async def test_twenty_duplicates_at_once_are_one_upload(api: Api, owner: Conn) -> None:
    """Of those who tell of one event at the same moment one makes the upload, the rest get it."""
    await posting.configure(api, BEARER)
    answers = await asyncio.gather(
        *(
            posting.post(
                *(api, "cloudevents/default", posting.PNG),
                {**BINARY, "Content-Type": "image/png", **AS_BEARER},
            )
            for _ in range(20)
        )
    )

    assert {answer[0] for answer in answers} == {202}
    items = [answer[1]["items"][0] for answer in answers]
    assert sorted(item["status"] for item in items) == ["accepted"] + 19 * ["known"]
    assert len({item["upload"] for item in items}) == 1
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 1


async def test_a_tokens_bearer_needs_no_other_proof(api: Api) -> None:
    """With a platform's token its events are taken, read by its hook settings, as the ruleset."""
    await posting.configure(api, generic={"image": "/photo"})
    body = json.dumps({"photo": posting.inline()["image"]}).encode()

    status, answer, _ = await api.platform.ask(
        "POST", "/v1/hooks/generic?ruleset=privacy", data=body
    )

    assert status == 202, answer
    upload = (await api.platform.ask("GET", answer["items"][0]["location"]))[1]
    assert (upload["platform"], upload["ruleset"]["name"]) == ("default", "privacy")


async def test_an_empty_batch_is_answered(api: Api) -> None:
    """Where there is nothing to take there is nothing to refuse."""
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    answer = await api.platform.ask("POST", "/v1/hooks/cloudevents", data=b"[]", headers=headers)
    assert answer[:2] == (200, {"items": []})


MALFORMED: dict[str, tuple[str, dict[str, str], Any, str]] = {
    "no records": ("s3", JSON, {}, "/Records"),
    "no bucket": (
        *("s3", JSON, {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {}}}]}),
        "/Records/0/s3/object/key",
    ),
    "nothing at all": ("s3", JSON, b"", ""),
    "no JSON": ("s3", JSON, b"<xml/>", ""),
    "no id": (
        *("cloudevents", STRUCTURED, {key: EVENT[key] for key in EVENT if key != "id"}),
        "/id",
    ),
    "no header": (
        *("cloudevents", {key: BINARY[key] for key in BINARY if key != "ce-source"}, b"{}"),
        "header ce-source",
    ),
    "no type of hook": ("tus", JSON, {}, "/Type"),
    "no upload": ("tus", JSON, {"Type": "pre-finish", "Event": {}}, "/Event/Upload"),
    "no image": ("generic", JSON, {"id": 1}, "/image_url"),
    "too much structure": ("generic", JSON, b"[" + b"0," * 1_000_000 + b"0]", ""),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_message_is_told_what_is_missing(
    what: str, api: Api, owner: Conn
) -> None:
    """422 with the place of every fault; nothing is stored."""
    preset, headers, body, place = MALFORMED[what]
    await posting.configure(api, BEARER)

    answer = await posting.post(api, f"{preset}/default", body, {**headers, **AS_BEARER})

    sending.check_problem(answer, 422, "hook_malformed", what)
    assert [error["path"] for error in answer[1]["errors"]] == [place]
    assert await sending.stored(owner) == sending.NOTHING


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("s4/default", {}, 404, "hook_unknown"),
        ("generic/default?ruleset=none-such", {}, 422, "ruleset_unknown"),
        ("generic/default?colour=red", {}, 422, "validation_failed"),
        ("generic/default?wait=0", {}, 422, "validation_failed"),
        ("generic/default", {"Content-Encoding": "gzip"}, 415, "encoding_not_supported"),
    ],
)
async def test_what_is_refused_of_the_request_is_named(
    path: str, headers: dict[str, str], status: int, code: str, api: Api
) -> None:
    """The address and the headers are refused as elsewhere."""
    await posting.configure(api, BEARER)
    answer = await posting.post(api, path, posting.inline(), {**headers, **AS_BEARER})
    sending.check_problem(answer, status, code)


async def test_a_message_is_not_larger_than_an_upload(api: Api) -> None:
    """What is announced as too large is refused before it is read."""
    line = b"POST /v1/hooks/generic/default"
    answer = await sending.send(
        api.url, sending.request_bytes(api.platform, line, b"Content-Length: 99000000\r\n")
    )
    sending.check_problem(answer, 413, "body_too_large")


async def test_what_intake_refuses_is_refused_for_itself(api: Api) -> None:
    """One bad image leaves the others of its message; bad images alone are their own problem."""
    await posting.configure(api, BEARER, generic={"items": "/all"})
    bad, good = posting.inline(b"no image"), posting.inline()

    mixed = await posting.post(api, "generic/default", {"all": [bad, good, {}]}, AS_BEARER)
    alone = await posting.post(api, "generic/default", {"all": [{}, bad]}, AS_BEARER)
    linked = {"image_url": "http://127.0.0.1/a.png"}
    internal = await posting.post(api, "generic/default", {"all": [linked]}, AS_BEARER)

    assert mixed[0] == 202
    assert [(one["status"], one["code"]) for one in mixed[1]["items"]] == [
        ("refused", "not_an_image"),
        ("accepted", None),
        ("refused", "hook_malformed"),
    ]
    sending.check_problem(alone, 415, "not_an_image")
    sending.check_problem(internal, 422, "image_url_not_allowed")


async def test_over_quota_the_whole_message_is_to_be_sent_again(api: Api, owner: Conn) -> None:
    """429 with Retry-After; what was taken before is known when the message comes again."""
    await posting.configure(api, BEARER, generic={"items": "/all", "event_id": "/id"})
    message = {
        "all": [posting.inline(draw.png(8, 8, colour), id=colour) for colour in ("red", "blue")]
    }
    await owner.execute("UPDATE platforms SET max_uploads_per_day = 1")

    refused = await posting.post(api, "generic/default", message, AS_BEARER)
    sending.check_problem(refused, 429, "quota_exceeded")
    assert int(refused[2]["Retry-After"]) > 0
    await owner.execute("UPDATE platforms SET max_uploads_per_day = NULL")
    status, body, _ = await posting.post(api, "generic/default", message, AS_BEARER)

    assert status == 202
    assert [one["status"] for one in body["items"]] == ["known", "accepted"]


async def test_any_origin_may_ask_to_send(api: Api) -> None:
    """The abuse protection of CloudEvents is answered, known platform or not."""
    asked = {"WebHook-Request-Origin": "eventemitter.example.com", "Authorization": ""}
    for path in ("default", "default/a%20secret", "nobody", "nobody/?"):
        status, _, headers = await api.platform.ask(
            "OPTIONS", f"/v1/hooks/cloudevents/{path.rstrip('/?')}?ruleset=privacy", headers=asked
        )
        assert status == 200
        assert (headers["WebHook-Allowed-Origin"], headers["WebHook-Allowed-Rate"]) == ("*", "*")
