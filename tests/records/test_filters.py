"""Every filter finds what a plain reading of the same uploads finds, in each order, in pages."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store import Conn, cases, records
from service.store.cases import Order, Place
from service.store.records import Filter
from tests.records import population, reference
from tests.records.conftest import Filled
from tests.records.population import CATEGORIES, MODELS, PLATFORMS, Made

ORDERS: tuple[Order, ...] = ("newest", "oldest", "severity")
RULES = [population.rule_name(ruleset, rule) for ruleset in range(3) for rule in range(4)]
# What somebody may send who wants to find out how it is read; none of it is in any upload.
LITERALS = (
    *(
        "' OR 1=1 --",
        "%",
        "_",
        "rule-0-0:1",
        "rule-0-0' AND 'a'='a",
        "$1",
        "{0}",
        "{}",
        "\\",
        "NULL",
    ),
    *(
        "platform-0\u200b",
        "PLATFORM-0",
        "none",
        "*",
        '"',
        "a" * 200,
        "🙂",
        "--",
        "/*",
        "\x7f",
    ),
)


def _words(made: list[Made]) -> list[str]:
    said = [one.words for one in made if one.words]
    few = [words[at] for at, words in enumerate(said[:40], 3) if at < len(words)]
    phrases = [" ".join(words[2:4]) for words in said[:20]]
    return [*few, *(f'"{phrase}"' for phrase in phrases), *(f"-{word}" for word in few[:10])]


def _asked(made: list[Made]) -> st.SearchStrategy[dict[str, Any]]:
    word = st.sampled_from(LITERALS)
    some = st.sampled_from(made)
    moment = some.map(lambda one: one.received_at)
    words = st.sampled_from(_words(made))
    values: dict[str, st.SearchStrategy[Any]] = {
        "state": st.sampled_from(("done", "failed")),
        "outcome": some.map(lambda one: one.outcome),
        "verdict": some.map(lambda one: one.verdict),
        "decision": st.sampled_from(("none", "allow", "block", "escalate")),
        "platform": st.sampled_from(PLATFORMS[:4]) | word,
        "ruleset": some.map(lambda one: one.ruleset) | word,
        "version": st.integers(1, 5),
        "rule": st.sampled_from(RULES) | word,
        "min_severity": st.integers(1, 4),
        "category": st.sampled_from(CATEGORIES) | word,
        "model": st.sampled_from(MODELS) | word,
        "text": st.lists(words, min_size=1, max_size=2).map(" ".join)
        | st.lists(words, min_size=2, max_size=3).map(" or ".join),
        "where": st.sampled_from(list(reference.PATHS)),
        "received_from": moment,
        "received_to": moment,
        "external_id": some.map(lambda one: one.external_id or "x") | word,
        "sha256": some.map(lambda one: one.sha256.hex()),
    }
    assert set(values) == set(Filter.model_fields) == set(records._WHERE)
    alone = st.sampled_from(list(values)).flatmap(
        lambda name: st.fixed_dictionaries({name: values[name]})
    )
    return alone | st.fixed_dictionaries({}, optional=values)


async def _pages(conn: Conn, wanted: Filter, order: Order, limit: int) -> list[Any]:
    """Read all pages and check that each but the last is full."""
    ids, after = [], None
    while True:
        async with cases.bounded(conn):
            rows = await cases.find(conn, wanted, order, after=after, limit=limit)
        ids += [row["id"] for row in rows]
        if len(rows) < limit:
            return ids
        after = Place(rows[-1]["severity"], rows[-1]["received_at"], rows[-1]["id"])


def test_filters_find_what_a_plain_reading_finds(filled: Filled) -> None:
    """
    Filters, alone or combined, find all that fits and nothing else, in their order.

    Values that nobody has, however odd, are literals that find nothing.
    """
    with asyncio.Runner() as runner:
        context = filled.connected()
        conn = runner.run(context.__aenter__())

        @settings(
            max_examples=250,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(_asked(filled.made), st.sampled_from(ORDERS), st.sampled_from((7, 50, 2000)))
        def check(asked: dict[str, Any], order: Order, limit: int) -> None:
            wanted = Filter.model_validate(asked)
            expected = [one.id for one in reference.found(filled.made, wanted, order)]
            # Many small pages of much would only take long.
            pages = limit if len(expected) < 20 * limit else 500
            assert runner.run(_pages(conn, wanted, order, pages)) == expected
            async_count = cases.count(conn, wanted, len(filled.made))
            assert runner.run(async_count) == len(expected)

        check()
        runner.run(context.__aexit__(None, None, None))


async def test_a_derived_case_is_what_was_put_in(filled: Filled) -> None:
    """Tags and words follow from the description, and the words' places are counted through."""
    async with filled.connected() as conn:
        tags = await conn.fetch(
            'SELECT upload_id, array_agg(tag ORDER BY tag COLLATE "C") AS tags'
            "  FROM case_tags GROUP BY 1"
        )
        words = await conn.fetch("SELECT upload_id, words::text FROM case_words")
    found = {row["upload_id"]: row["tags"] for row in tags}
    said = {row["upload_id"]: row["words"] for row in words}
    for one in filled.made:
        assert found.get(one.id, []) == population.expected_tags(one)
        spelt = [word.replace("'", "") for word in said[one.id].split()]
        assert sorted(spelt) == sorted(population.tsvector(one.words).split())
