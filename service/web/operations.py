"""What operators and load balancers ask: health, readiness, metrics, the API's own description."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import asyncpg
import prometheus_client
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import BaseModel

from service.store import Row, deliveries, endpoints, migrations, uploads, upstreams
from service.store.database import UNREACHABLE
from service.web import POOL, problems
from service.web.openapi import Api

FULL_DISK = 0.85


@dataclass(slots=True)
class Readiness:
    """Whether this process should get traffic; draining says no before all else."""

    need_level: int
    disk: Path
    draining: bool = False
    busy: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request under way, so that a drain knows when all have been answered."""
        self.busy += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.busy -= 1
            if not self.busy:
                self.idle.set()


@dataclass(frozen=True, slots=True)
class Metrics:
    """The process's metrics."""

    registry: CollectorRegistry
    seconds: Histogram
    backlog: Gauge
    oldest: Gauge
    upstream_up: Gauge
    upstream_calls: Gauge
    upstream_failures: Gauge
    upstream_slowed: Gauge
    endpoints: Gauge
    undelivered: Gauge
    oldest_undelivered: Gauge
    bodies: Gauge
    overloaded: Counter


class Paused(BaseModel):
    """An upstream that is down or refuses our key; ``reason`` is the outcome that told so."""

    upstream: str
    reason: str
    since: datetime


class Health(BaseModel):
    """
    ``status`` is ok, or what is missing.

    While upstreams are paused uploads are taken and wait, so that does not make it less than ok.
    """

    status: str
    paused: list[Paused] = []


READINESS = web.AppKey("readiness", Readiness)
METRICS = web.AppKey("metrics", Metrics)


def new_metrics() -> Metrics:
    """Make a registry of its own, so that two applications in one process do not collide."""
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, label: str) -> Gauge:
        return Gauge(f"moderation_{name}", meaning, (label,), registry=registry)

    return Metrics(
        registry=registry,
        seconds=Histogram(
            "moderation_http_request_seconds",
            "Time to answer a request",
            ("method", "route", "status"),
            registry=registry,
        ),
        backlog=gauge("uploads_unfinished", "Uploads by state", "state"),
        oldest=gauge("uploads_oldest_seconds", "Age of the oldest unfinished upload", "state"),
        upstream_up=gauge("upstream_up", "0 while it is paused", "upstream"),
        upstream_calls=gauge("upstream_calls_under_way", "Calls not answered yet", "upstream"),
        upstream_failures=gauge("upstream_failures_in_a_row", "Since its last answer", "upstream"),
        upstream_slowed=gauge(
            "upstream_slowed_to_per_minute", "Calls a minute after a 429, recovering", "upstream"
        ),
        endpoints=gauge("callback_endpoints", "By standing: well, failing, disabled", "standing"),
        undelivered=Gauge(
            "moderation_callbacks_waiting", "Deliveries to be made", registry=registry
        ),
        oldest_undelivered=Gauge(
            "moderation_callbacks_oldest_seconds", "Age of the oldest of these", registry=registry
        ),
        bodies=Gauge(
            "moderation_http_body_bytes", "Bodies of requests being taken", registry=registry
        ),
        overloaded=Counter(
            "moderation_http_overloaded", "Requests refused for want of room", registry=registry
        ),
    )


@web.middleware
async def measure(request: web.Request, handler: problems.Handler) -> web.StreamResponse:
    """Time every request under its route's pattern, never its path."""
    begin = time.perf_counter()
    with request.app[READINESS].request():
        response = await handler(request)
    if request.app[READINESS].draining:
        # A connection kept open would bring more requests to a process that is leaving.
        response.force_close()
    resource = request.match_info.route.resource
    request.app[METRICS].seconds.labels(
        request.method, resource.canonical if resource else "none", str(response.status)
    ).observe(time.perf_counter() - begin)
    return response


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation("GET", "/healthz", answers={200: Health})(healthz)
    api.operation("GET", "/readyz", answers={200: Health, 503: Health})(readyz)
    api.operation(
        "GET",
        "/metrics",
        answers={200: "text/plain"},
        refusals=("database_unavailable",),
    )(metrics)

    async def openapi(_: web.Request) -> web.Response:
        """Describe the API in OpenAPI 3.1."""
        return web.json_response(api.document())

    api.operation("GET", "/openapi.json", answers={200: "application/json"})(openapi)


async def healthz(_: web.Request) -> web.Response:
    """Tell that the process answers."""
    return _health("ok")


async def readyz(request: web.Request) -> web.Response:
    """Tell whether this process can take uploads now."""
    readiness = request.app[READINESS]
    if readiness.draining:
        return _health("draining")
    disk = shutil.disk_usage(readiness.disk)
    if disk.used > FULL_DISK * disk.total:
        return _health(f"the disk is over {FULL_DISK:.0%} full")
    try:
        async with request.app[POOL].acquire() as conn:
            have = await migrations.level(conn)
            known = await upstreams.listed(conn) if have >= readiness.need_level else []
    except (*UNREACHABLE, asyncpg.PostgresError):
        return _health("the database cannot be reached")
    if have < readiness.need_level:
        return _health(f"the database is at migration {have}, not {readiness.need_level}")
    paused = [
        Paused(upstream=row["name"], reason=row["down_reason"], since=row["down_since"])
        for row in known
        if row["down_since"] is not None
    ]
    return _health("ok", paused)


async def metrics(request: web.Request) -> web.Response:
    """Give the metrics in Prometheus' text format."""
    own = request.app[METRICS]
    async with request.app[POOL].acquire() as conn:
        rows = {row["state"]: row for row in await uploads.backlog(conn)}
        _show_upstreams(own, await upstreams.listed(conn))
        for standing, number in (await endpoints.standing(conn)).items():
            own.endpoints.labels(standing).set(number)
        waiting = await deliveries.backlog(conn)
    own.undelivered.set(waiting.number)
    own.oldest_undelivered.set(waiting.oldest_s)
    for state in ("queued", "working"):
        row = rows.get(state)
        own.backlog.labels(state).set(row["uploads"] if row else 0)
        own.oldest.labels(state).set(row["oldest_s"] if row else 0)
    return web.Response(
        body=prometheus_client.generate_latest(own.registry),
        headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST},
    )


def _show_upstreams(own: Metrics, rows: list[Row]) -> None:
    for gauge in (own.upstream_up, own.upstream_calls, own.upstream_failures, own.upstream_slowed):
        gauge.clear()  # One that nobody uses any more must not stay as it was.
    for row in rows:
        own.upstream_up.labels(row["name"]).set(row["down_since"] is None)
        own.upstream_calls.labels(row["name"]).set(row["under_way"])
        own.upstream_failures.labels(row["name"]).set(row["failures"])
        if row["slowed_to"] is not None:
            own.upstream_slowed.labels(row["name"]).set(row["slowed_to"])


def _health(status: str, paused: list[Paused] | None = None) -> web.Response:
    health = Health(status=status, paused=paused or [])
    return web.json_response(
        text=health.model_dump_json(exclude_defaults=True), status=200 if status == "ok" else 503
    )
