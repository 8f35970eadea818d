"""The moderators' queries as whole requests: one caller, over loopback, to a `serve` process."""

import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from service import administering
from service.store.database import Database, speak_json
from service.store.records import Filter
from tests.benchmarks import arrivals, machine
from tests.benchmarks.records_kinds import DAYS, KINDS, PAGE, Kind, counts
from tests.flows import processes


@dataclass(frozen=True, slots=True)
class Answered:
    """What one kind of request took: wall-clock and CPU milliseconds each, and kB of the answer."""

    name: str
    queries: int
    p50_ms: float
    p95_ms: float
    service_cpu_ms: float
    postgres_cpu_ms: float
    answer_kb: float


async def measure(where: Database, postgres_pid: int, queries: int, seed: int) -> list[Answered]:
    """Ask every kind of page, and the counts, so many times over one connection, after some."""
    draw = random.Random(seed)
    owner = await where.connect_owner()
    await speak_json(owner)
    with tempfile.TemporaryDirectory() as folder:
        tokens = await administering.first_tokens(owner, Path(folder) / "tokens.json")
    await owner.close()
    headers = {"Authorization": f"Bearer {tokens['moderator']}"}
    asked: dict[str, tuple[str, list[dict[str, Any]]]] = {
        kind.name: ("/v1/records", [_page(kind, draw) for _ in range(queries)])
        for kind in KINDS
        if not kind.deep
    }
    asked[f"counts of {DAYS} days"] = (
        "/v1/records/summary",
        [_counts(draw) for _ in range(queries)],
    )
    async with (
        processes.serve(where) as (process, url),
        aiohttp.ClientSession(url, headers=headers) as session,
    ):
        pids = (process.pid, postgres_pid)
        return [await _asked(session, pids, name, *some) for name, some in asked.items()]


def _page(kind: Kind, draw: random.Random) -> dict[str, Any]:
    wanted, order = kind.draw(draw)
    return {**_spelt(wanted), "order": order, "limit": PAGE}


def _counts(draw: random.Random) -> dict[str, Any]:
    wanted, key = counts(draw)
    return {**_spelt(wanted), "by": key}


def _spelt(wanted: Filter) -> dict[str, Any]:
    return wanted.model_dump(mode="json", exclude_none=True)


async def _asked(
    session: aiohttp.ClientSession,
    pids: tuple[int, int],
    name: str,
    path: str,
    queries: list[dict[str, Any]],
) -> Answered:
    for query in queries[: len(queries) // 4]:
        await _answer(session, path, query)
    before = machine.cpu_s(pids[0]), machine.family_cpu_s(pids[1])
    took, size = [], 0
    for query in queries:
        began = time.perf_counter()
        size += await _answer(session, path, query)
        took.append((time.perf_counter() - began) * 1000)
    after = machine.cpu_s(pids[0]), machine.family_cpu_s(pids[1])
    service_ms, postgres_ms = (
        round((end - begin) * 1000 / len(queries), 2)
        for begin, end in zip(before, after, strict=True)
    )
    return Answered(
        name,
        len(queries),
        round(statistics.median(took), 2),
        round(arrivals.percentile(sorted(took), 0.95), 2),
        service_ms,
        postgres_ms,
        round(size / 1000 / len(queries), 1),
    )


async def _answer(session: aiohttp.ClientSession, path: str, query: dict[str, Any]) -> int:
    async with session.get(path, params=query) as response:
        body = await response.read()
        assert response.status == 200, (response.status, query, body[:500])
        return len(body)


def table(answered: list[Answered]) -> str:
    """Show the figures as Markdown."""
    lines = [
        "Over HTTP, milliseconds:\n",
        "| request | p50 | p95 | API CPU | PG CPU | kB |",
        "|---|---|---|---|---|---|",
    ]
    for one in answered:
        figures = f"{one.p50_ms} | {one.p95_ms} | {one.service_cpu_ms} | {one.postgres_cpu_ms}"
        lines.append(f"| {one.name} | {figures} | {one.answer_kb} |")
    return "\n".join([*lines, ""])
