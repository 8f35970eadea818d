"""Versions over HTTP: kept as written, numbered, shown whole, and never changed."""

import hashlib
import io
import json

import pytest

from service.policy import prompt, rulesets
from service.store import Conn, Pool
from tests.conftest import Api
from tests.rulesets import YAML, add, get, publish, source
from tests.web import sending


async def test_a_ruleset_is_written_and_read_back(api: Api) -> None:
    """A new name is 201 with Location; what is kept is the text as written, and its digest."""
    text = "# Ours\n" + source("faces", "plates")
    status, made, headers = await api.policy.ask(
        "POST", "/v1/rulesets/shop/versions?note=First%20try", data=text, headers=YAML
    )
    assert (status, headers["Location"]) == (201, "/v1/rulesets/shop/versions/1")
    assert (made["version"], made["state"], made["note"]) == (1, "draft", "First try")
    assert made["author"].startswith("token:")
    assert made["source"] == text
    assert made["sha256"] == rulesets.digest(rulesets.parse(text))
    assert [rule["id"] for rule in made["content"]["rules"]] == ["faces", "plates"]
    assert made["releases"] == []
    assert await get(api.moderator, "/shop/versions/1") == made


async def test_json_is_the_same_content(api: Api) -> None:
    """The content of a version, sent as JSON, is that version; other content is the next."""
    made = await add(api.policy, source())
    content = made["content"]
    path = "/v1/rulesets/shop/versions"
    status, same, _ = await api.policy.ask("POST", path, json=content)
    assert (status, same) == (200, made)
    status, other, _ = await api.policy.ask("POST", path, json=content | {"title": "Other"})
    assert (status, other["version"], other["content"]["title"]) == (201, 2, "Other")


async def test_same_content_twice_is_one_version(api: Api, pool: Pool) -> None:
    """Also of another author: 200 with the version that it is, which keeps its author and note."""
    other = await sending.caller(api, pool, "policy")
    made = await add(api.policy, source(), query="?note=mine")
    assert await add(other, "# Mine!\n" + source(), query="?note=not%20mine") == made


async def test_the_list_tells_what_is_live(api: Api) -> None:
    """Each ruleset has its live and newest version, and how many are in which state."""
    for title in ("One", "Two", "Three"):
        await add(api.policy, source(title=title))
    await publish(api.policy, 1)
    await publish(api.policy, 2)
    listed = await get(api.admin, "")
    assert [one["name"] for one in listed["items"]] == [
        "community",
        "marketplace",
        "privacy",
        "shop",
    ]
    shop = {
        "name": "shop",
        "title": "Two",
        "live_version": 2,
        "newest_version": 3,
        "states": {"draft": 1, "live": 1, "retired": 1},
    }
    assert (listed["items"][-1], listed["next"]) == (shop, None)
    status, one, headers = await api.moderator.ask("GET", "/v1/rulesets/shop")
    assert (status, headers["ETag"]) == (200, '"2"')
    assert {name: one[name] for name in shop} == shop
    states = [(version["version"], version["state"]) for version in one["versions"]]
    assert states == [(3, "draft"), (2, "live"), (1, "retired")]


async def test_a_ruleset_of_drafts_alone_has_no_live_version(api: Api) -> None:
    """It has its newest title, and uploads for it are refused as for an unknown one."""
    await add(api.policy, source(title="Old"))
    await add(api.policy, source(title="New"))
    status, one, headers = await api.policy.ask("GET", "/v1/rulesets/shop")
    assert (status, one["title"], one["live_version"], headers["ETag"]) == (200, "New", None, '"0"')
    answer = await api.platform.ask(
        "POST", "/v1/uploads?ruleset=shop", data=sending.PNG, headers={"Content-Type": "image/png"}
    )
    sending.check_problem(answer, 422, "ruleset_unknown")


async def test_the_prompt_is_shown_byte_for_byte(api: Api) -> None:
    """As text it is exactly what is stored to be sent; as JSON with tokens, share and prices."""
    await add(api.policy, source())
    path = "/v1/rulesets/shop/versions/1/prompt"
    status, text, headers = await api.moderator.ask("GET", path, headers={"Accept": "text/plain"})
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    shown = await get(api.policy, "/shop/versions/1/prompt")
    version = await get(api.policy, "/shop/versions/1")
    ruleset = rulesets.parse(source())
    rendered = prompt.render(rulesets.Version(ruleset, 1, version["sha256"])).encode()
    assert text == rendered == shown["prompt"].encode()
    digest = hashlib.sha256(text).hexdigest()
    assert shown["sha256"] == version["prompt_sha256"] == digest
    (upstream,) = shown["upstreams"]
    assert upstream["model"] == "gemini-3.1-flash-image-preview"
    assert upstream["context_tokens"] == 131_072
    assert upstream["context_share"] == round((shown["tokens"] + 1_120) / 131_072, 4)
    assert upstream["misfit"] is None
    assert [(month["images"], month["microusd"]) for month in upstream["monthly"]] == [
        (1_000, 58_000_000),
        (10_000, 580_000_000),
        (50_000, 2_900_000_000),
        (100_000, 5_800_000_000),
    ]


async def test_the_schema_is_that_of_the_prompt(api: Api) -> None:
    """What descriptions must fit is what the prompt says, with this version's rule ids."""
    await add(api.policy, source("faces", "cards"))
    schema = await get(api.policy, "/shop/versions/1/schema")
    shown = await get(api.policy, "/shop/versions/1/prompt")
    inside = shown["prompt"].split("<description-schema>")[1].split("</description-schema>")[0]
    assert json.loads(inside) == schema
    assert '"enum": ["faces", "cards"]' in json.dumps(schema)


async def test_the_difference_is_told_as_text_and_as_json(api: Api) -> None:
    """A rule that came is in both; without `from` it is refused."""
    await add(api.policy, source("faces"))
    await add(api.policy, source("faces", "cards"))
    told = await get(api.policy, "/shop/versions/2/diff?from=1", headers={"Accept": "text/plain"})
    assert "cards" in told.decode()
    assert "cards" in json.dumps(await get(api.policy, "/shop/versions/2/diff?from=1"))
    answer = await api.policy.ask("GET", "/v1/rulesets/shop/versions/2/diff")
    sending.check_problem(answer, 422, "validation_failed")


MISSING = (
    "/shop",
    "/Shop",
    "/shop/versions/1",
    "/privacy/versions/2",
    "/privacy/versions/0",
    "/privacy/versions/x",
    "/privacy/versions/99999999999",
    "/privacy/versions/2/prompt",
    "/privacy/versions/2/schema",
    "/privacy/versions/1/diff?from=2",
    "/privacy/versions/2/diff?from=1",
)


async def test_what_is_not_there_is_404(api: Api) -> None:
    """Unknown names and versions, and those that cannot be, are answered alike."""
    for path in MISSING:
        answer = await api.policy.ask("GET", f"/v1/rulesets{path}")
        sending.check_problem(answer, 404, "not_found", path)
    for path in ("/shop/versions/1/publish", "/privacy/versions/2/publish", "/shop/rollback"):
        answer = await api.policy.ask("POST", f"/v1/rulesets{path}")
        assert answer[0] in (404, 409), path


LONG = b"title: " + b"x" * 10_000_000
REFUSED = {
    "unknown key": (YAML, source() + "colour: red\n", 422, "ruleset_invalid"),
    "anchor": (YAML, source(title="&a Shop"), 422, "ruleset_invalid"),
    "not UTF-8": (YAML, b"name: \xff", 422, "ruleset_invalid"),
    "10 MB": (YAML, LONG, 422, "ruleset_invalid"),
    "20 MB": (YAML, LONG * 2, 413, "body_too_large"),
    "another name": (YAML, source(name="other"), 422, "ruleset_invalid"),
    "nothing": (YAML, b"", 422, "empty_body"),
    "no JSON": ({"Content-Type": "application/json"}, b"{", 422, "ruleset_invalid"),
    "text": ({"Content-Type": "text/plain"}, source(), 415, "content_type_not_supported"),
    "gzip": (YAML | {"Content-Encoding": "gzip"}, b"x", 415, "encoding_not_supported"),
}


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_what_is_no_ruleset_is_refused(
    api: Api, owner: Conn, headers: dict[str, str], body: str | bytes, status: int, code: str
) -> None:
    """Every fault has line, column and a sentence; no version and no name is left behind."""
    sent = io.BytesIO(body.encode() if isinstance(body, str) else body)
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/versions", data=sent, headers=headers)
    sending.check_problem(answer, status, code)
    for fault in answer[1].get("errors", []):
        assert fault["line"] >= 1
        assert fault["column"] >= 1
        assert fault["message"]
    assert ("errors" in answer[1]) == (code == "ruleset_invalid")
    assert not await owner.fetchval("SELECT count(*) FROM rulesets WHERE name = 'shop'")


ODD = {
    "surrogate": b'{"name": "shop", "title": "\\ud800"}',
    "NUL": b'{"name": "shop", "title": "a\\u0000b"}',
    "UTF-16": source().encode("utf-16"),
    "byte-order mark alone": b"\xef\xbb\xbf",
    "null": b"null",
    "list": b"[]",
    "number": b"1e999",
    "two documents": b"a: 1\n---\nb: 2\n",
    "deep": b"[" * 100_000,
    "alias": b"a: &a [1]\nb: *a\n",
    "merge": b"a: {<<: {b: 1}}\n",
    "tag": b"!!python/object/apply:os.system [x]\n",
    "twice": b"name: shop\nname: shop\n",
    "remote schema": source().encode() + b"$schema: https://example.org/x.json\n",
}


async def test_odd_documents_are_refused_with_their_faults(api: Api, owner: Conn) -> None:
    """None is a fault of ours, and the live version of a ruleset with this name stays."""
    await add(api.policy, source())
    await publish(api.policy, 1)
    for what, body in ODD.items():
        answer = await api.policy.ask("POST", "/v1/rulesets/shop/versions", data=body, headers=YAML)
        sending.check_problem(answer, 422, "ruleset_invalid", what)
        assert all(fault["line"] >= 1 and fault["message"] for fault in answer[1]["errors"]), what
    assert (await get(api.policy, "/shop"))["states"] == {"draft": 0, "live": 1, "retired": 0}
    assert await owner.fetchval("SELECT count(*) FROM ruleset_versions WHERE ruleset = 'shop'") == 1


async def test_every_fault_is_told_at_once(api: Api) -> None:
    """Of a faulty text all faults come back, each at its place."""
    text = source("faces", "plates").replace("edit: blur", "edit: smear") + "colour: red\n"
    _, problem, _ = await api.policy.ask(
        "POST", "/v1/rulesets/shop/versions", data=text, headers=YAML
    )
    lines = text.splitlines()
    told = {(fault["line"], fault["path"]) for fault in problem["errors"]}
    expected = {(n, f"rules[{n // 12}].edit") for n, line in enumerate(lines, 1) if "smear" in line}
    assert told == expected | {(len(lines), "colour")}


async def test_the_name_must_be_that_of_the_address(api: Api) -> None:
    """The fault stands where the text says its name."""
    text = "# A comment\n" + source(name="other")
    _, problem, _ = await api.policy.ask(
        "POST", "/v1/rulesets/shop/versions", data=text, headers=YAML
    )
    (fault,) = problem["errors"]
    assert (fault["line"], fault["column"], fault["path"]) == (2, 7, "name")
    assert "'other'" in fault["message"]
    assert "'shop'" in fault["message"]


async def test_a_deleted_rule_does_not_come_back(api: Api) -> None:
    """An id that the newest version lacks is refused, and so is one given to another rule."""
    await add(api.policy, source("faces", "plates"))
    await add(api.policy, source("faces"))
    path = "/v1/rulesets/shop/versions"
    back = source("faces", "plates", title="Back")
    answer = await api.policy.ask("POST", path, data=back, headers=YAML)
    sending.check_problem(answer, 422, "ruleset_invalid")
    assert "'plates'" in answer[1]["errors"][0]["message"]
    swapped = source("plates").replace("id: plates", "id: faces")
    answer = await api.policy.ask("POST", path, data=swapped, headers=YAML)
    sending.check_problem(answer, 422, "ruleset_invalid")


async def test_what_a_rollback_brought_back_is_not_deleted(api: Api) -> None:
    """After it, both the live version's rules and those of the one withdrawn can be edited."""
    await add(api.policy, source("faces", "plates"))
    await publish(api.policy, 1)
    await add(api.policy, source("faces", "cards"))
    await publish(api.policy, 2)
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/rollback")
    assert answer[1]["live_version"] == 1
    assert (await add(api.policy, source("faces", "plates", "cards")))["version"] == 3


async def test_an_earlier_text_is_its_version_again(api: Api) -> None:
    """The very content of an old version is no new one, also where its rules were deleted since."""
    await add(api.policy, source("faces", "plates"))
    await add(api.policy, source("faces"))
    assert (await add(api.policy, source("faces", "plates")))["version"] == 1


async def test_five_edits_leave_the_first_prompt_as_it_was(api: Api) -> None:
    """Prompt and digest of version 1 are byte-identical after five more versions went live."""
    await add(api.policy, source("faces"))
    await publish(api.policy, 1)
    before = await get(api.policy, "/shop/versions/1/prompt")
    for number, topic in enumerate(("plates", "cards", "signs", "screens", "keys"), 2):
        made = await add(api.policy, source("faces", topic, title=f"Edit {number}"))
        await publish(api.policy, made["version"])
    after = await get(api.policy, "/shop/versions/1/prompt")
    assert after == before
    version = await get(api.policy, "/shop/versions/1")
    again = rulesets.Version(rulesets.of_content(version["content"]), 1, version["sha256"])
    assert prompt.render(again) == before["prompt"]
    assert prompt.sha256(prompt.render(again)) == version["prompt_sha256"]


async def test_making_a_version_is_audited(api: Api, owner: Conn) -> None:
    """Who wrote which content is entered in the same transaction; known content is no act."""
    made = await add(api.policy, source())
    await add(api.policy, source())
    rows = await owner.fetch("SELECT * FROM audit WHERE action = 'ruleset.draft'")
    (row,) = [one for one in rows if one["subject"] == "shop/1"]
    assert (row["actor"], row["detail"]) == (made["author"], {"sha256": made["sha256"]})
