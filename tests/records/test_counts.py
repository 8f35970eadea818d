"""Counts: the rollups are what counting gives, after whatever happened, and summaries say so."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from service.store import Conn, case_counts, cases
from service.store.case_counts import Key
from service.store.database import Database
from service.store.records import Filter
from tests.records import filling, reference
from tests.records.conftest import Filled
from tests.records.population import Made, Population

_CASES = """
    SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, state, outcome,
           verdict, model, count(*)::bigint
      FROM cases GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_RULES = """
    SELECT (received_at AT TIME ZONE 'UTC')::date, platform, ruleset, version, rule,
           count(*)::bigint
      FROM cases, unnest(rules) AS rule GROUP BY 1, 2, 3, 4, 5
"""
_DERIVED = "SELECT upload_id, state, outcome, verdict, severity FROM derived_cases ORDER BY 1"
_KEPT = "SELECT upload_id, state, outcome, verdict, severity FROM cases ORDER BY 1"
_TAGS = "SELECT tag, upload_id FROM case_tags ORDER BY 1, 2"
_DERIVED_TAGS = "SELECT unnest(tags) AS tag, upload_id FROM derived_cases ORDER BY 1, 2"


async def check(conn: Conn) -> None:
    """Compare what is kept with what follows from uploads and cases as they are."""
    for rollup, counting in (("case_counts", _CASES), ("rule_counts", _RULES)):
        kept = await conn.fetch(f"SELECT * FROM {rollup} WHERE cases <> 0")
        counted = await conn.fetch(counting)
        assert Counter(map(tuple, kept)) == Counter(map(tuple, counted)), rollup
    assert await conn.fetch(_KEPT) == await conn.fetch(_DERIVED)
    assert await conn.fetch(_TAGS) == await conn.fetch(_DERIVED_TAGS)
    words = await conn.fetchval("SELECT count(*) FROM case_words")
    assert words == await conn.fetchval("SELECT count(*) FROM cases")


async def _delete(conn: Conn, one: Made) -> None:
    async with conn.transaction():
        await conn.execute("UPDATE uploads SET state = 'deleted' WHERE id = $1", one.id)
        await conn.execute("DELETE FROM records WHERE upload_id = $1", one.id)


@pytest.mark.parametrize("seed", range(3))
async def test_rollups_are_what_counting_gives(owner: Conn, seed: int) -> None:
    """After any sequence of ends, deletions and undone transactions, one by one or several."""
    await filling.prepare(owner)
    draw, waiting = random.Random(seed), list(Population(seed, findings=3).made(60))
    ended: list[Made] = []
    while waiting:
        some = [waiting.pop() for _ in range(min(draw.randint(1, 6), len(waiting)))]
        match draw.randrange(4):
            case 0 if ended:
                await _delete(owner, ended.pop(draw.randrange(len(ended))))
            case 1:
                undone = owner.transaction()
                await undone.start()
                await filling.add(owner, some)
                await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
                await undone.rollback()
            case _:
                await filling.add(owner, some)
                ended += some
        await check(owner)
    assert ended


async def test_a_changed_verdict_moves_its_count(owner: Conn) -> None:
    """A case that becomes another counts as that, and no longer as what it was."""
    await filling.prepare(owner)
    await filling.add(owner, Population(1, findings=2).made(30))
    for verdict in ("block", "hold", "block"):
        await owner.execute(
            "UPDATE cases SET verdict = $1 WHERE outcome IN ('violating', 'not_assessed')", verdict
        )
        kept = await owner.fetch("SELECT * FROM case_counts WHERE cases <> 0")
        assert Counter(map(tuple, kept)) == Counter(map(tuple, await owner.fetch(_CASES)))


async def test_ends_at_once_wait_for_each_other_in_no_circle(owner: Conn, where: Database) -> None:
    """Transactions with the same cases' counts in opposite orders all commit."""
    await filling.prepare(owner)
    made = list(Population(2, findings=3).made(80))
    conns = [await where.connect_owner() for _ in range(4)]
    for _ in range(3):
        parts = [[made.pop() for _ in range(6)] for _ in conns]
        parts[1].reverse()
        await asyncio.gather(
            *(filling.add(conn, part) for conn, part in zip(conns, parts, strict=True))
        )
    for conn in conns:
        await conn.close()
    await check(owner)


KEYS: dict[Key, Callable[[Made], list[Any]]] = {
    "day": lambda one: [one.received_at.date().isoformat()],
    "rule": lambda one: list(one.worst),
    "outcome": lambda one: [one.outcome],
    "model": lambda one: [one.model],
    "platform": lambda one: [one.platform],
}


async def test_a_summary_counts_what_the_filter_finds(filled: Filled) -> None:
    """By every key, from the rollups or one by one, the counts are those of a plain reading."""
    middle = filled.made[700].received_at
    midnight = middle.replace(hour=0, minute=0, second=0, microsecond=0)
    filters: list[dict[str, Any]] = [
        {},
        {"platform": "platform-0"},
        {"ruleset": "ruleset-1", "version": 2, "outcome": "violating"},
        {"state": "failed", "model": "model-b"},
        {"verdict": "hold", "received_from": midnight, "received_to": midnight + timedelta(30)},
        {"received_from": midnight, "platform": "platform-1", "ruleset": "ruleset-2"},
        {"received_from": middle},
        {"rule": "rule-0-0", "min_severity": 2},
        {"category": "prv", "decision": "none"},
        {"min_severity": 4, "where": "$.findings[*].severity == 4"},
        {"platform": "nobody"},
    ]
    async with filled.connected() as conn:
        for given in filters:
            wanted = Filter.model_validate(given)
            found = [one for one in filled.made if reference.fits(one, wanted)]
            for by, keys in KEYS.items():
                async with cases.bounded(conn):
                    counted = await case_counts.summary(conn, wanted, by)
                expected = Counter(chain.from_iterable(keys(one) for one in found))
                assert counted.counts == expected, (given, by)
                assert (counted.total, counted.exact) == (len(found), True), (given, by)
                keys_of_days = [str(key) for key in counted.counts] if by == "day" else []
                assert keys_of_days == sorted(keys_of_days), given
                sizes = list(counted.counts.values())
                assert by == "day" or sizes == sorted(sizes, reverse=True), (given, by)
