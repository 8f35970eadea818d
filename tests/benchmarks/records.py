"""
Measures the moderators' queries on many records: ``python -m tests.benchmarks.records``.

Fills a database of its own (``--rows``), asks each kind of query at random places, prints Markdown
and writes JSON (``--json``).  Times are wall-clock milliseconds of one caller, warm: of the store's
functions with their transaction, and of whole requests over HTTP.
"""

import argparse
import asyncio
import dataclasses
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg

from service import preparing, up
from service.embedded.server import EmbeddedPostgres
from service.store import Conn, case_counts, cases, database
from service.store.cases import Order, Place
from service.store.records import Filter
from tests.records import filling, population
from tests.records.population import PLATFORMS, RULES, RULESETS, VOCABULARY, Population

PAGE, DAYS = 50, 30
Drawn = tuple[Filter, Order]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of query and its limit, p95 in milliseconds."""

    name: str
    limit_ms: float
    draw: Callable[[random.Random], Drawn]
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What one kind of query took, in milliseconds; ``rows`` is the mean of what came back."""

    name: str
    limit_ms: float
    queries: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    rows: float


def ruleset_of(draw: random.Random) -> int:
    """Draw a ruleset."""
    return draw.randrange(RULESETS)


def queue(draw: random.Random) -> Drawn:
    """What waits for a person: everywhere, of a platform, a ruleset or both."""
    some: dict[str, object] = {"verdict": draw.choice(("hold", "block")), "decision": "none"}
    kind = draw.randrange(4)
    if kind & 1:
        some["platform"] = draw.choice(PLATFORMS)
    if kind & 2:
        some["ruleset"] = f"ruleset-{ruleset_of(draw)}"
    return Filter.model_validate(some), draw.choice(("severity", "severity", "oldest", "newest"))


def rule(draw: random.Random) -> Drawn:
    """One rule, frequent or rare, at each severity."""
    named = population.rule_name(ruleset_of(draw), draw.randrange(RULES))
    order: Order = draw.choice(("newest", "oldest", "severity"))
    return Filter(rule=named, min_severity=draw.randint(1, 4)), order


def pending_rule(draw: random.Random) -> Drawn:
    """One rule among what waits for a person."""
    wanted, order = rule(draw)
    return wanted.model_copy(update={"verdict": "hold", "decision": "none"}), order


def text(draw: random.Random) -> Drawn:
    """One to three words, frequent or rare."""
    words = [
        VOCABULARY[int(len(VOCABULARY) ** draw.random()) - 1] for _ in range(draw.randint(1, 3))
    ]
    return Filter(text=" ".join(words)), draw.choice(("newest", "oldest", "severity"))


def path(draw: random.Random) -> Drawn:
    """Conditions on one finding, within a rule or a ruleset."""
    ruleset = ruleset_of(draw)
    named = population.rule_name(ruleset, draw.randrange(RULES // 2))
    asked = f"@.severity >= {draw.randint(1, 3)} && @.confidence > {draw.choice((0.3, 0.6, 0.9))}"
    if draw.random() < 0.5:
        spelt = f'$.findings[*] ? (@.rule == "{named}" && {asked})'
        return Filter(rule=named, where=spelt), "newest"
    return Filter(ruleset=f"ruleset-{ruleset}", where=f"$.findings[*] ? ({asked})"), "newest"


KINDS = (
    Kind("first page of a queue", 10, queue),
    Kind("deep page of a queue", 10, queue, deep=True),
    Kind("first page of a rule and severity", 10, rule),
    Kind("deep page of a rule and severity", 10, rule, deep=True),
    Kind("first page of a rule in a queue", 10, pending_rule),
    Kind("first page of words", 10, text),
    Kind("deep page of words", 10, text, deep=True),
    Kind("first page of a path in a rule or ruleset", 50, path),
    Kind("deep page of a path in a rule or ruleset", 50, path, deep=True),
)


def main() -> None:
    """Fill, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder), settings={"fsync": "off"}) as server,
    ):
        measured = asyncio.run(_run(server, asked.rows, asked.queries, asked.seed))
    sys.stdout.write(table(measured, asked.rows))
    if asked.json:
        asked.json.write_text(json.dumps([dataclasses.asdict(one) for one in measured], indent=1))


async def _run(server: EmbeddedPostgres, rows: int, queries: int, seed: int) -> list[Measured]:
    await preparing.prepare(await up.bootstrap(server))
    owner = await asyncpg.connect(server.dsn(up.DATABASE, "postgres"))
    await filling.prepare(owner)
    began = time.monotonic()
    await filling.bulk(owner, Population(seed).made(rows), _told)
    await owner.execute("VACUUM ANALYZE")
    sys.stderr.write(f"\rfilled {rows} in {time.monotonic() - began:.0f} s\n")
    await owner.close()
    conn = await asyncpg.connect(server.dsn(up.DATABASE, database.APPLICATION_ROLE))
    await database.speak_json(conn)
    try:
        return await measure(conn, queries, seed)
    finally:
        await conn.close()


def _told(done: int) -> None:
    sys.stderr.write(f"\r{done} rows")


async def measure(conn: Conn, queries: int, seed: int) -> list[Measured]:
    """Ask every kind of query so many times, after some to warm up."""
    draw = random.Random(seed)
    places = await _places(conn)
    measured = []
    for kind in KINDS:

        async def page(kind: Kind = kind) -> int:
            wanted, order = kind.draw(draw)
            after = draw.choice(places) if kind.deep else None
            async with cases.bounded(conn):
                return len(await cases.find(conn, wanted, order, after=after, limit=PAGE + 1))

        measured.append(await _timed(kind.name, kind.limit_ms, queries, page))

    async def count() -> int:
        async with cases.bounded(conn):
            return len((await case_counts.summary(conn, *_counts(draw))).counts)

    measured.append(await _timed(f"counts of {DAYS} days", 20, queries, count))
    return measured


def _counts(draw: random.Random) -> tuple[Filter, case_counts.Key]:
    begin = population.END - timedelta(days=draw.randint(DAYS, population.DAYS))
    some: dict[str, object] = {"received_from": begin, "received_to": begin + timedelta(days=DAYS)}
    for name, values in (("platform", PLATFORMS), ("ruleset", ("ruleset-0", "ruleset-1"))):
        if draw.random() < 0.3:
            some[name] = draw.choice(values)
    return Filter.model_validate(some), draw.choice(("day", "rule", "outcome", "model", "platform"))


async def _places(conn: Conn) -> list[Place]:
    rows = await conn.fetch(
        "SELECT severity, received_at, upload_id AS id FROM cases TABLESAMPLE SYSTEM (1)"
        " WHERE severity > 0"
    )
    return [Place(**row) for row in rows]


async def _timed(
    name: str, limit_ms: float, queries: int, ask: Callable[[], Awaitable[int]]
) -> Measured:
    for _ in range(queries // 4):
        await ask()
    took, rows = [], []
    for _ in range(queries):
        began = time.perf_counter()
        rows.append(await ask())
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return Measured(
        name,
        limit_ms,
        queries,
        round(statistics.median(took), 2),
        round(took[int(len(took) * 0.95)], 2),
        round(took[-1], 2),
        round(statistics.mean(rows), 1),
    )


def table(measured: list[Measured], rows: int) -> str:
    """Show the figures as Markdown."""
    lines = [f"{rows} records, milliseconds:\n", "| query | p50 | p95 | max | limit (p95) | rows |"]
    lines.append("|---|---|---|---|---|---|")
    for one in measured:
        figures = f"{one.p50_ms} | {one.p95_ms} | {one.max_ms} | {one.limit_ms} | {one.rows}"
        lines.append(f"| {one.name} | {figures} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
