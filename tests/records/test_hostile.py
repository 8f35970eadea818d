"""Hostile values: literals that find nothing, a refusal that says where, or a limit; never 500."""

import json
import time
from urllib.parse import quote

import pytest

from service.store.database import Database
from tests.conftest import Api
from tests.records.conftest import Filled
from tests.web import sending

# Values with which a fault of ours would show, for every filter that takes text.
HOSTILE = [
    *("'; DROP TABLE cases; --", "' OR '1'='1", "\\", "%", "$1", "$$", "{0}", "{", "%s", "*:*"),
    *(
        "a & | ! ( )",
        "<->",
        "'",
        '"',
        '"""',
        "!!",
        "foo:*",
        "\u202e\u0000".replace("\0", ""),
        "🙂" * 50,
    ),
    *("\ud7ff", "a" * 200, "or or or", "-", "--", "- -", '"-"', "((((", "NULL", "\x7f", "\u0085"),
]
TEXTS = ("platform", "ruleset", "rule", "category", "model", "text", "external_id")
# Paths and the position of what is wrong with them; None where any will do.
BAD_PATHS: list[tuple[str, int | None]] = [
    ("$.findings[*] ? (@.severity === 3)", 30),
    ("$.a ??", 5),
    ("foo bar", 3),
    ("$.findings[*] ? (@.severity >= ", 31),
    ('$.a ? (@ == "b', 14),
    ('$.a ? (@ like_regex "(a")', 23),
    ("@.severity", 2),
    ("$.a.nothing_like_this()", None),
    ("last", None),
    ("$[", 2),
    ("\\", None),
    ("'; DROP TABLE cases; --", 2),
    ('$.a ? (@ like_regex "a" flag "z")', None),
    ("strict", None),
    ("{0}", None),
    ("(" * 500, None),
]
GOOD_PATHS = [
    *(
        "$",
        "lax $.x",
        "strict $.x.y",
        "$.**",
        "$.findings[last]",
        "$.a / 0",
        "$[99999999999999999]",
    ),
    *(
        "true",
        "null",
        '"a"',
        "$.keyvalue()",
        "$.summary.datetime()",
        "$.findings[*] ? (1 == 1)",
    ),
    "(" * 200 + "$" + ")" * 200,
]


@pytest.fixture
def where(filled: Filled) -> Database:
    """The filled database, for the API of a test."""
    return filled.where


async def test_hostile_text_is_a_literal(api: Api) -> None:
    """No value of any text filter is more than a value, in lists, counts and exports."""
    for name in TEXTS:
        for value in HOSTILE:
            status, page, _ = await api.moderator.ask(
                "GET", "/v1/records", params={name: value, "limit": "1"}
            )
            assert status == 200, (name, value, page)
            if name != "text":
                assert page["items"] == [], (name, value)
    for value in HOSTILE:
        for path in ("summary", "export"):
            status, body, _ = await api.moderator.ask(
                "GET", f"/v1/records/{path}", params={"rule": value}
            )
            assert status == 200, (path, value, body)


async def test_a_bad_path_is_refused_with_its_place(api: Api) -> None:
    """400 ``path_invalid`` tells what is wrong and behind how many characters."""
    for path, place in BAD_PATHS:
        for asked in ("records", "records/summary", "records/export"):
            answer = await api.moderator.ask("GET", f"/v1/{asked}?where={quote(path)}")
            sending.check_problem(answer, 400, "path_invalid", path)
            (fault,) = answer[1]["errors"]
            assert fault["field"] == "where"
            assert fault["position"] <= len(path), path
            if place is not None:
                assert fault["position"] == place, (path, fault)


async def test_a_path_that_fails_at_work_is_refused(api: Api) -> None:
    """What only a description brings to light is the path's fault too."""
    for path in (
        "$x",
        "$.findings[*] ? (@.rule == $rule)",
        '"2026-01-01".datetime() ? (@ < "2026-01-01T00:00:00Z".datetime())',
    ):
        answer = await api.moderator.ask("GET", "/v1/records", params={"where": path})
        sending.check_problem(answer, 400, "path_invalid", path)


async def test_an_odd_path_is_no_fault(api: Api) -> None:
    """A path that Postgres can read is asked, whatever becomes of it."""
    for path in GOOD_PATHS:
        status, page, _ = await api.moderator.ask(
            "GET", "/v1/records", params={"where": path, "limit": "1"}
        )
        assert status == 200, (path, page)


async def test_a_path_that_takes_for_ever_is_cut_off(api: Api) -> None:
    """Nobody waits, and no connection is held, longer than the limit of a statement."""
    slow = "$" + ".**" * 14 + " ? (@ == 77777)"
    began = time.monotonic()

    answer = await api.moderator.ask("GET", "/v1/records", params={"where": slow, "text": "-no"})

    sending.check_problem(answer, 422, "query_too_slow", slow)
    assert time.monotonic() - began < 20
    status, _, _ = await api.moderator.ask("GET", "/v1/records?limit=1")
    assert status == 200


async def test_catastrophic_patterns_end(api: Api) -> None:
    """A pattern made to take for ever is answered, refused as too slow, or as too complex."""
    for pattern in ("(a*)*b", "(.*)*x(.*)*y", "((((a?){30}){30}){30}){30}", "(x+x+)+y" * 20):
        path = f"$.findings[*].rationale ? (@ like_regex {json.dumps(pattern)})"
        status, body, _ = await api.moderator.ask("GET", "/v1/records", params={"where": path})
        assert status in (200, 400, 422), (pattern, body)
        assert status == 200 or body["code"] in ("path_invalid", "query_too_slow"), body


BAD = [
    ("order=best", "validation_failed"),
    ("decision=maybe", "validation_failed"),
    ("where=", "validation_failed"),
    ("where=%24%00", "validation_failed"),
    ("where=" + "%24" * 1001, "validation_failed"),
    ("text=", "validation_failed"),
    ("text=" + "a" * 201, "validation_failed"),
]


async def test_a_bad_value_is_refused_everywhere(api: Api) -> None:
    """Lists, counts and exports take the same filters and refuse the same values."""
    for query, code in BAD:
        answer = await api.moderator.ask("GET", f"/v1/records?{query}")
        sending.check_problem(answer, 422, code, query)
    for path in ("summary?by=colour", "summary?limit=1", "export?format=xml", "export?cursor=a"):
        answer = await api.moderator.ask("GET", f"/v1/records/{path}")
        sending.check_problem(answer, 422, "validation_failed", path)
    for caller in (api.platform, api.policy, api.admin):
        for path in ("", "/summary", "/export"):
            answer = await caller.ask("GET", f"/v1/records{path}")
            sending.check_problem(answer, 403, "role_not_allowed", path)
