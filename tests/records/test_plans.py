"""The planner takes the indexes that pages are kept quick by, on a table that is worth it."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.embedded.server import EmbeddedPostgres
from service.store import case_counts, cases
from service.store.case_counts import Key
from service.store.cases import Order, Place
from service.store.records import Filter
from tests.conftest import TEMPLATE, fresh_database
from tests.records import filling, population
from tests.records.conftest import Filled
from tests.records.population import Population

COUNT = 20_000
RARE, FREQUENT = "rule-0-20", "rule-0-0"
# Words in nearly all, in about every hundredth and in hardly any.
ALL_SAY, SOME_SAY, FEW_SAY = (population.VOCABULARY[rank] for rank in (0, 300, 4000))
PENDING = {"verdict": "hold", "decision": "none"}
# Filters, the order of the page, and the index that must be read for it.
PLANS: list[tuple[dict[str, Any], Order, str]] = [
    ({}, "newest", "cases_received"),
    ({}, "severity", "cases_severity"),
    (PENDING, "severity", "cases_pending"),
    (PENDING, "oldest", "cases_pending_received"),
    # Of so few, any index of what waits for a platform or ruleset is as good as the other.
    ({**PENDING, "platform": "platform-5"}, "severity", r"cases_pending_(platform|origin)\w*"),
    ({**PENDING, "platform": "platform-5"}, "oldest", r"cases_pending_(platform|origin)\w*"),
    ({**PENDING, "ruleset": "ruleset-3"}, "severity", r"cases_pending_ruleset\w*"),
    ({**PENDING, "ruleset": "ruleset-3"}, "newest", r"cases_pending_ruleset\w*"),
    ({"platform": "platform-7"}, "newest", "cases_platform"),
    ({"ruleset": "ruleset-4"}, "oldest", "cases_ruleset"),
    ({"ruleset": "ruleset-4", "version": 1}, "newest", "cases_version"),
    ({"outcome": "unreadable"}, "newest", "cases_outcome"),
    ({"model": "model-a"}, "newest", "cases_model"),
    ({"verdict": "block"}, "oldest", "cases_verdict"),
    ({"decision": "escalate"}, "newest", "cases_decision"),
    ({"external_id": "ext-1"}, "newest", "cases_external_id"),
    ({"sha256": "ab" * 32}, "newest", "cases_image"),
    ({"rule": RARE}, "newest", "case_tags_(pkey|rank)"),
    ({"rule": FREQUENT}, "oldest", "case_tags_pkey"),
    ({"rule": RARE, "min_severity": 3}, "newest", "case_tags_(pkey|rank)"),
    ({"rule": FREQUENT, "min_severity": 2}, "severity", "case_tags_rank"),
    ({"category": "vcr"}, "newest", "case_tags_pkey"),
    ({"text": f"{FEW_SAY} {population.VOCABULARY[10]}"}, "newest", "case_words_words"),
    ({"text": FEW_SAY, "ruleset": "ruleset-1"}, "newest", "case_words_words"),
    ({"text": SOME_SAY, "rule": RARE}, "newest", "case_(words_words|tags_pkey|tags_rank)"),
    (
        {"rule": FREQUENT, "where": "$.findings[*] ? (@.severity > 2)"},
        "newest",
        "case_tags_pkey",
    ),
    ({"ruleset": "ruleset-1", "where": "$.x"}, "newest", "cases_ruleset"),
]


@pytest.fixture(scope="module")
def many(postgres: EmbeddedPostgres) -> Iterator[Filled]:
    """A population large enough that reading all of it would be the dearer plan."""
    made = list(Population(3, findings=4).made(COUNT))
    with asyncio.Runner() as runner:
        context = fresh_database(postgres, template=TEMPLATE)
        where = runner.run(context.__aenter__())
        name = where.dsn.rpartition("@/")[2].partition("?")[0]
        runner.run(_fill(postgres.dsn(name, "postgres"), made))
        yield Filled(where, made)
        runner.run(context.__aexit__(None, None, None))


async def _fill(dsn: str, made: list[population.Made]) -> None:
    superuser = await asyncpg.connect(dsn)
    await filling.prepare(superuser)
    await filling.bulk(superuser, made, lambda _: None)
    await superuser.execute("VACUUM ANALYZE")
    await superuser.close()


async def _plan(conn: "asyncpg.Connection[asyncpg.Record]", ask: Any) -> str:
    """Ask, and have the last statement explained as it was sent."""
    sent: list[Any] = []
    with conn.query_logger(sent.append):
        async with cases.bounded(conn):
            await ask
    query = next(
        one for one in reversed(sent) if "FROM cases" in one.query or "_counts" in one.query
    )
    async with cases.bounded(conn):
        rows = await conn.fetch(f"EXPLAIN {query.query}", *query.args)
    return "\n".join(row[0] for row in rows)


async def _page(
    conn: "asyncpg.Connection[asyncpg.Record]",
    many: Filled,
    given: dict[str, Any],
    order: Order,
    *,
    deep: bool,
) -> str:
    """Explain what a page's cases are found by."""
    middle = many.made[COUNT // 2]
    after = Place(middle.severity, middle.received_at, middle.id) if deep else None
    wanted = Filter.model_validate(given)
    plan = await _plan(conn, cases.find(conn, wanted, order, after=after, limit=51))
    return plan.partition("CTE page")[2].partition("->  Nested Loop Left Join")[0]


@pytest.mark.parametrize("deep", [False, True])
async def test_pages_are_read_from_their_index(many: Filled, *, deep: bool) -> None:
    """Each filter and order of the numbers has its index, on the first page and on a deep one."""
    wrong = []
    async with many.connected() as conn:
        for given, order, index in PLANS:
            page = await _page(conn, many, given, order, deep=deep)
            if not re.search(rf"(using|on) {index}\b", page) or "Seq Scan on" in page:
                wrong.append(f"{given} {order} {index}\n{page}")
    assert not wrong, "\n".join(wrong)


# Words, the order of the page, and the index that finds them.
OF_WORDS: list[tuple[str, Order, str]] = [
    (ALL_SAY, "newest", "case_words_received"),
    (ALL_SAY, "severity", "case_words_rank"),
    (SOME_SAY, "oldest", "case_words_words"),
    (SOME_SAY, "severity", "case_words_words"),
    (FEW_SAY, "newest", "case_words_words"),
    (FEW_SAY, "severity", "case_words_words"),
]


@pytest.mark.parametrize("deep", [False, True])
async def test_words_are_found_before_cases(many: Filled, *, deep: bool) -> None:
    """Frequent words are found along the order and others by the words; no case is looked up."""
    async with many.connected() as conn:
        for text, order, index in OF_WORDS:
            page = await _page(conn, many, {"text": text}, order, deep=deep)
            assert re.search(rf"(using|on) {index}\b", page), (text, order, page)
            assert not re.search(r"\bon cases c", page), (text, order, page)


async def test_a_path_is_looked_for_before_cases(many: Filled) -> None:
    """Within a rule or words, descriptions are read first, and cases only where one fits."""
    path = {"where": "$.findings[*] ? (@.severity > 2)"}
    async with many.connected() as conn:
        for given in ({"rule": RARE}, {"rule": FREQUENT}, {"text": FEW_SAY}):
            page = await _page(conn, many, {**given, **path}, "newest", deep=False)
            of_cases = re.search(r"\bon cases c.*\n(?: +(?:Index Cond|Filter).*\n)*", page)
            assert of_cases, page
            assert "SubPlan" not in of_cases[0], page
            assert "SubPlan" in page, page


COUNTS: list[tuple[dict[str, Any], Key]] = [
    ({}, "day"),
    ({"platform": "platform-0"}, "outcome"),
    ({"ruleset": "ruleset-0", "verdict": "hold"}, "model"),
    ({}, "platform"),
    ({}, "rule"),
    ({"platform": "platform-1", "ruleset": "ruleset-1", "version": 2}, "rule"),
]


@pytest.mark.parametrize("deep", [False, True])
async def test_a_frequent_word_and_a_frequent_rule_are_thought_to_meet(
    many: Filled, *, deep: bool
) -> None:
    """Where both are in many cases the planner expects many, and so stops at a page's end."""
    async with many.connected() as conn:
        page = await _page(conn, many, {"rule": FREQUENT, "text": ALL_SAY}, "severity", deep=deep)
    joined = re.findall(r"(?:Join|Loop)\s+\(cost=\S+ rows=(\d+)", page)
    assert joined, page
    assert min(map(int, joined)) > 10, page


async def test_counts_are_read_from_their_rollup(many: Filled) -> None:
    """Counts of whole days read no case, and of the rollup the days asked for only."""
    begin = population.END - timedelta(days=10)
    async with many.connected() as conn:
        for given, by in COUNTS:
            wanted = Filter.model_validate({**given, "received_from": begin})
            plan = await _plan(conn, case_counts.summary(conn, wanted, by))
            assert re.search(r"(using|on) (case|rule)_counts_\w+", plan), plan
            assert "on cases" not in plan, (given, by, plan)


# As long as nobody has analysed it, which autovacuum never does for one row.
_UNKNOWN = "UPDATE pg_class SET relpages = 0, reltuples = -1 WHERE relname = 'search_settings'"
_END = "SELECT * FROM derived_cases WHERE upload_id = ANY ($1::uuid[])"


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_an_end_reads_nothing_of_other_uploads(
    postgres: EmbeddedPostgres, many: Filled, mode: str
) -> None:
    """The case of one upload is made without reading uploads, records or the ledger whole."""
    name = many.where.dsn.rpartition("@/")[2].partition("?")[0]
    superuser = await asyncpg.connect(postgres.dsn(name, "postgres"))
    try:
        undone = superuser.transaction()
        await undone.start()
        await superuser.execute(f"{_UNKNOWN}; SET LOCAL plan_cache_mode = {mode}")
        await superuser.execute(f"PREPARE ended AS {_END}")
        rows = await superuser.fetch(f"EXPLAIN EXECUTE ended (ARRAY['{many.made[9].id}']::uuid[])")
        plan = "\n".join(row[0] for row in rows)
        await undone.rollback()
    finally:
        await superuser.close()
    assert not re.search(r"Seq Scan on (uploads|records|attempts)\b", plan), plan
