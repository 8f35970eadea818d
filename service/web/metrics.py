"""The metrics of an API process: of itself, and of the database that all processes share."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from prometheus_client import Counter, Gauge, Histogram

from service import measuring
from service.measuring import Process
from service.store import (
    Conn,
    Pool,
    Row,
    deliveries,
    endpoints,
    gauges,
    health,
    uploads,
    upstreams,
)
from service.web import POOL

# Name, meaning and labels of what is read from the database at each scrape.
_GAUGES: Final = (
    ("uploads_unfinished", "Uploads by state", ("state",)),
    ("uploads_oldest_seconds", "Age of the oldest unfinished upload", ("state",)),
    ("uploads_due", "Uploads that a worker could take", ()),
    ("uploads_due_oldest_seconds", "For how long the oldest of these has been due", ()),
    ("leases_lapsed", "Uploads whose worker vanished, not taken over yet", ()),
    ("uploads_ended", "Uploads that are done or failed, and kept", ("outcome",)),
    (
        "attempts_recent",
        "Attempts of the last five minutes, by the ledger",
        ("upstream", "model", "outcome"),
    ),
    ("upstream_up", "0 while it is paused", ("upstream",)),
    ("upstream_calls_under_way", "Calls not answered yet", ("upstream",)),
    ("upstream_failures_in_a_row", "Since its last answer", ("upstream",)),
    ("upstream_slowed_to_per_minute", "Calls a minute after a 429, recovering", ("upstream",)),
    ("callback_endpoints", "By standing: well, failing, disabled", ("standing",)),
    ("callbacks_waiting", "Deliveries to be made", ()),
    ("callbacks_oldest_seconds", "Age of the oldest of these", ()),
    ("reviews_pending", "Cases that wait for a person, up to 10000", ()),
    ("reviews_oldest_seconds", "Age of the oldest of these", ()),
    ("decisions_recent", "Decisions of the last 24 hours, not undone", ("decision",)),
    ("spent_dollars", "Spent or reserved in the period (UTC) that runs", ("period",)),
    ("budget_used_ratio", "Share of each budget that is used", ("scope", "period")),
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """
    What an API process measures; ``gauges`` are read from the database, by name.

    ``reading`` keeps who scrapes from seeing what another has read in part.
    """

    process: Process
    seconds: Histogram
    overloaded: Counter
    bodies: Gauge
    disk: Gauge
    gauges: dict[str, Gauge]
    reading: asyncio.Lock


METRICS = web.AppKey("metrics", Metrics)


def new_metrics(pool: Pool) -> Metrics:
    """Make them in a registry of their own."""
    process = measuring.new_process(pool)
    registry = process.registry
    return Metrics(
        process=process,
        seconds=Histogram(
            "moderation_http_request_seconds",
            "Time to answer a request",
            ("method", "route", "status"),
            registry=registry,
        ),
        overloaded=Counter(
            "moderation_http_overloaded", "Requests refused for want of room", registry=registry
        ),
        bodies=Gauge(
            "moderation_http_body_bytes", "Bodies of requests being taken", registry=registry
        ),
        disk=Gauge(
            "moderation_disk_used_ratio", "Share of the data folder's disk", registry=registry
        ),
        gauges={
            name: Gauge(f"moderation_{name}", meaning, labels, registry=registry)
            for name, meaning, labels in _GAUGES
        },
        reading=asyncio.Lock(),
    )


async def watched(app: web.Application) -> AsyncIterator[None]:
    """Count the lines of the log and measure the event loop while the application runs."""
    async with measuring.watched(app[METRICS].process):
        yield


async def metrics(request: web.Request) -> web.Response:
    """Give the metrics in Prometheus' text format."""
    own = request.app[METRICS]
    # Many who scrape at once take one connection after the other, not one each.
    async with own.reading:
        async with request.app[POOL].acquire() as conn:
            await _read(own, conn)
        return measuring.response(own.process.registry)


async def _read(own: Metrics, conn: Conn) -> None:
    """Read all gauges; what is gone from the database must not stay as it was."""
    for name, _, labels in _GAUGES:
        if labels:
            own.gauges[name].clear()
    await _read_uploads(own, conn)
    _show_upstreams(own, await upstreams.listed(conn))
    for row in await gauges.attempts(conn):
        own.gauges["attempts_recent"].labels(row["upstream"], row["model"], row["outcome"]).set(
            row["attempts"]
        )
    for standing, number in (await endpoints.standing(conn)).items():
        own.gauges["callback_endpoints"].labels(standing).set(number)
    waiting = await deliveries.backlog(conn)
    own.gauges["callbacks_waiting"].set(waiting.number)
    own.gauges["callbacks_oldest_seconds"].set(waiting.oldest_s)
    pending = await gauges.pending(conn)
    own.gauges["reviews_pending"].set(pending.cases)
    own.gauges["reviews_oldest_seconds"].set(pending.oldest_s)
    for decision, number in (await gauges.decisions(conn)).items():
        own.gauges["decisions_recent"].labels(decision).set(number)
    for period, dollars in (await gauges.spent(conn)).items():
        own.gauges["spent_dollars"].labels(period).set(dollars)
    for row in await gauges.budgets(conn):
        own.gauges["budget_used_ratio"].labels(row["scope"], row["period"]).set(row["share"])


async def _read_uploads(own: Metrics, conn: Conn) -> None:
    rows = {row["state"]: row for row in await uploads.backlog(conn)}
    for state in ("queued", "working"):
        row = rows.get(state)
        own.gauges["uploads_unfinished"].labels(state).set(row["uploads"] if row else 0)
        own.gauges["uploads_oldest_seconds"].labels(state).set(row["oldest_s"] if row else 0)
    queue = await health.queue(conn)
    own.gauges["uploads_due"].set(queue.due)
    own.gauges["uploads_due_oldest_seconds"].set(queue.oldest_s)
    own.gauges["leases_lapsed"].set(queue.lapsed)
    for outcome, number in (await gauges.ended(conn)).items():
        own.gauges["uploads_ended"].labels(outcome).set(number)


def _show_upstreams(own: Metrics, rows: list[Row]) -> None:
    for row in rows:
        name = row["name"]
        own.gauges["upstream_up"].labels(name).set(row["down_since"] is None)
        own.gauges["upstream_calls_under_way"].labels(name).set(row["under_way"])
        own.gauges["upstream_failures_in_a_row"].labels(name).set(row["failures"])
        if row["slowed_to"] is not None:
            own.gauges["upstream_slowed_to_per_minute"].labels(name).set(row["slowed_to"])
