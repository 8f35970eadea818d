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
from pathlib import Path

import asyncpg

from service import preparing, up
from service.embedded.server import EmbeddedPostgres
from service.store import Conn, case_counts, cases, database
from service.store.cases import Place
from tests.benchmarks import records_http
from tests.benchmarks.records_http import Answered
from tests.benchmarks.records_kinds import DAYS, KINDS, PAGE, Kind, counts
from tests.records import filling
from tests.records.population import Population


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
        measured, answered = asyncio.run(_run(server, asked.rows, asked.queries, asked.seed))
    sys.stdout.write(f"{table(measured, asked.rows)}\n{records_http.table(answered)}")
    if asked.json:
        found = {
            "store": [dataclasses.asdict(one) for one in measured],
            "http": [dataclasses.asdict(one) for one in answered],
        }
        asked.json.write_text(json.dumps(found, indent=1))


async def _run(
    server: EmbeddedPostgres, rows: int, queries: int, seed: int
) -> tuple[list[Measured], list[Answered]]:
    where = await up.bootstrap(server)
    await preparing.prepare(where)
    owner = await asyncpg.connect(server.dsn(up.DATABASE, "postgres"))
    await filling.prepare(owner)
    began = time.monotonic()
    await filling.bulk(owner, Population(seed).made(rows), _told)
    await owner.execute("VACUUM ANALYZE")
    sys.stderr.write(f"\rfilled {rows} in {time.monotonic() - began:.0f} s\n")
    await owner.close()
    conn = await asyncpg.connect(where.dsn)
    await database.speak_json(conn)
    try:
        measured = await measure(conn, queries, seed)
    finally:
        await conn.close()
    assert server.pid is not None
    return measured, await records_http.measure(where, server.pid, queries, seed)


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
            return len((await case_counts.summary(conn, *counts(draw))).counts)

    measured.append(await _timed(f"counts of {DAYS} days", 20, queries, count))
    return measured


async def _places(conn: Conn) -> list[Place]:
    rows = await conn.fetch(
        "SELECT severity, received_at, upload_id AS id FROM cases TABLESAMPLE BERNOULLI (1)"
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
