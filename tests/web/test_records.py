"""The moderators' query: every filter, every page, only what has ended."""

import dataclasses
import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from service.store import Conn, records
from tests import draw
from tests.conftest import Api
from tests.upstream import Upstream, described, error, finding
from tests.web import ended, sending
from tests.web.ended import Ended
from tests.web.sending import PNG

ENDED = [
    Ended("clean", "allow", day=0, external_id="a"),
    Ended("redacted", "allow_edited", day=1, rules=("bystander-faces",), severity=2),
    Ended("violating", "block", day=2, rules=("bystander-faces", "weapons"), severity=4),
    Ended("not_assessed", day=3, platform="other", external_id="a"),
    Ended("violating", day=4, ruleset="marketplace", rules=("weapons",), severity=3, image=b"2"),
    Ended("refused", state="failed", day=5),
    Ended("unreadable", state="failed", day=6, platform="other", external_id="b", image=b"3"),
    Ended("exhausted", state="failed", day=7, ruleset="marketplace"),
    Ended("clean", "allow", day=8, platform="other"),
    Ended("violating", "block", day=9, rules=("weapons",), severity=4, platform="other"),
]
MIDDLE = ENDED[4].received_at
# Each filter with a value, and the same condition in Python.
FILTERS: dict[str, tuple[str, Callable[[Ended], bool]]] = {
    "state": ("failed", lambda one: one.state == "failed"),
    "outcome": ("violating", lambda one: one.outcome == "violating"),
    "verdict": ("block", lambda one: one.verdict == "block"),
    "decision": ("none", lambda _: True),
    "platform": ("other", lambda one: one.platform == "other"),
    "ruleset": ("marketplace", lambda one: one.ruleset == "marketplace"),
    "version": ("1", lambda _: True),
    "rule": ("weapons", lambda one: "weapons" in one.rules),
    "min_severity": ("3", lambda one: one.severity >= 3),
    "category": (
        "KEYWORD_BIOMETRIC_DATA_BREACH",
        lambda one: one.ruleset == "privacy" and "bystander-faces" in one.rules,
    ),
    "model": ("a-model", lambda _: True),
    "text": ("plain picture", lambda one: one.state == "done"),
    "where": ("$.findings[*] ? (@.severity == 4)", lambda one: one.severity == 4),
    "received_from": (MIDDLE.isoformat(), lambda one: one.received_at >= MIDDLE),
    "received_to": (MIDDLE.isoformat(), lambda one: one.received_at < MIDDLE),
    "external_id": ("a", lambda one: one.external_id == "a"),
    "sha256": (ENDED[0].sha256.hex(), lambda one: one.sha256 == ENDED[0].sha256),
}


@pytest.fixture
async def made(owner: Conn, api: Api) -> dict[str, Ended]:
    """All of the above in a database of an API that runs, the newest last."""
    assert api.url
    return {str(await ended.add(owner, one)): one for one in ENDED}


async def found(api: Api, **query: str) -> list[str]:
    """Ask with these filters; ids in the order of the answer."""
    status, page, _ = await api.moderator.ask("GET", "/v1/records", params=query)
    assert status == 200, page
    assert page["next"] is None
    return [item["id"] for item in page["items"]]


def expected(made: dict[str, Ended], *names: str) -> list[str]:
    """Which ids must be found: the newest first."""
    wanted = [FILTERS[name][1] for name in names]
    return [upload for upload, one in reversed(made.items()) if all(w(one) for w in wanted)]


def test_every_filter_has_its_condition_and_a_test() -> None:
    """Model, SQL and this table name the same filters."""
    assert set(records.Filter.model_fields) == set(records._WHERE) == set(FILTERS)


async def test_every_filter_and_every_pair_finds_exactly_what_fits(
    api: Api, made: dict[str, Ended]
) -> None:
    """Alone and combined, filters find all that fits and nothing else, the newest first."""
    chosen = [()] + [names for size in (1, 2) for names in itertools.combinations(FILTERS, size)]
    for names in chosen:
        query = {name: FILTERS[name][0] for name in names}
        assert await found(api, **query) == expected(made, *names), names


async def test_all_filters_at_once_are_all_kept(api: Api, made: dict[str, Ended]) -> None:
    """What no upload fulfils finds nothing, however many filters there are."""
    query = {name: value for name, (value, _) in FILTERS.items()}

    assert await found(api, **query) == expected(made, *FILTERS) == []


async def test_paging_gives_each_once_and_the_newest_first(
    api: Api, made: dict[str, Ended]
) -> None:
    """Pages of any size together are the whole, and the last one says that it is."""
    for limit in range(1, len(ENDED) + 2):
        seen: list[str] = []
        query = {"limit": str(limit)}
        while len(seen) <= len(ENDED):
            _, page, _ = await api.moderator.ask("GET", "/v1/records", params=query)
            seen += [item["id"] for item in page["items"]]
            assert len(page["items"]) == limit or page["next"] is None
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert seen == list(reversed(made)), limit


async def test_what_arrives_while_paging_moves_nothing(
    api: Api, made: dict[str, Ended], owner: Conn
) -> None:
    """A page's cursor stands for a place, so newcomers neither repeat nor hide anything."""
    _, first, _ = await api.moderator.ask("GET", "/v1/records", params={"limit": "4"})
    await ended.add(owner, dataclasses.replace(ENDED[0], day=20))

    _, rest, _ = await api.moderator.ask("GET", "/v1/records", params={"cursor": first["next"]})

    assert [item["id"] for item in first["items"] + rest["items"]] == list(reversed(made))


BAD = [
    ("cursor=nonsense", "cursor_invalid"),
    ("cursor=", "cursor_invalid"),
    ("cursor=%C3%A9", "cursor_invalid"),
    ("cursor=AAAA", "cursor_invalid"),
    ("cursor=" + "A" * 201, "validation_failed"),
    ("limit=0", "validation_failed"),
    ("limit=-1", "validation_failed"),
    ("limit=201", "validation_failed"),
    ("limit=many", "validation_failed"),
    ("state=queued", "validation_failed"),
    ("outcome=good", "validation_failed"),
    ("verdict=maybe", "validation_failed"),
    ("min_severity=0", "validation_failed"),
    ("min_severity=5", "validation_failed"),
    ("version=0", "validation_failed"),
    ("version=2147483648", "validation_failed"),
    ("version=99999999999999999999", "validation_failed"),
    ("sha256=abc", "validation_failed"),
    ("sha256=" + "g" * 64, "validation_failed"),
    ("sha256=" + "a" * 64 + "%0A", "validation_failed"),
    ("platform=a%00b", "validation_failed"),
    ("rule=", "validation_failed"),
    ("external_id=%00", "validation_failed"),
    ("received_from=yesterday", "validation_failed"),
    ("received_from=10.0", "validation_failed"),
    ("received_from=2026-11-01T00:00:00", "validation_failed"),
    ("received_from=0001-01-01T00:00:00%2B14:00", "validation_failed"),
    ("received_to=9999-12-31T23:59:59-14:00", "validation_failed"),
    ("colour=red", "validation_failed"),
    ("limit=1&limit=2", "validation_failed"),
]


async def test_a_bad_query_is_refused(api: Api) -> None:
    """Nothing that cannot be meant is guessed at, and nothing reaches the database."""
    for query, code in BAD:
        answer = await api.moderator.ask("GET", f"/v1/records?{query}")
        sending.check_problem(answer, 422, code, query)


async def test_the_bounds_of_limit_are_allowed(api: Api, made: dict[str, Ended]) -> None:
    """From 1 to 200 a page."""
    for limit in (1, 200):
        _, page, _ = await api.moderator.ask("GET", f"/v1/records?limit={limit}")
        assert len(page["items"]) == min(limit, len(made))


async def test_failed_ones_have_a_typed_outcome_and_no_description(
    api: Api, made: dict[str, Ended]
) -> None:
    """A failed upload has its typed outcome, is held, and has no description nor edited image."""
    _, page, _ = await api.moderator.ask("GET", "/v1/records?state=failed")

    assert [item["outcome"] for item in page["items"]] == ["exhausted", "unreadable", "refused"]
    for item in page["items"]:
        assert (item["verdict"], item["description"]) == ("hold", None)
        assert (item["images"]["edited"], item["images"]["thumbnail"]) == (None, None)
    assert made


@pytest.mark.usefixtures("working")
async def test_real_attempts_are_found_by_what_they_found(api: Api, upstream: Upstream) -> None:
    """Filters agree with what the worker wrote."""
    upstream.script = [
        described(findings=[finding("bystander-faces", severity=3)]),
        error(400, "moderation_blocked"),
    ]
    done = await api.platform.upload(PNG, Prefer="wait=30")
    failed = await api.platform.upload(draw.png(9, 9, "red"), Prefer="wait=30")

    assert await found(api, rule="bystander-faces", min_severity="3") == [done["id"]]
    assert await found(api, state="failed", outcome="refused") == [failed["id"]]


async def test_only_what_has_ended_is_listed(api: Api, made: dict[str, Ended]) -> None:
    """An upload that waits is no record yet."""
    await api.platform.upload(PNG)

    assert await found(api) == list(reversed(made))


async def test_a_moment_on_the_border_is_in_exactly_one_of_two_ranges(
    api: Api, made: dict[str, Ended]
) -> None:
    """`received_from` is inclusive and `received_to` is not."""
    moment = MIDDLE.isoformat()
    later = (MIDDLE + timedelta(microseconds=1)).isoformat()

    assert len(await found(api, received_from=moment, received_to=later)) == 1
    assert await found(api, received_from=moment, received_to=moment) == []
    assert made
