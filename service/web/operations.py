"""What operators and load balancers ask: health, readiness, the API's own description."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import asyncpg
from aiohttp import web
from pydantic import BaseModel

from service.store import migrations, upstreams
from service.store.database import UNREACHABLE
from service.web import POOL, headroom, metrics, problems
from service.web.openapi import Api


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
    request.app[metrics.METRICS].seconds.labels(
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
    )(metrics.metrics)

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
    if full := headroom.full_disk(readiness.disk):
        return _health(full)
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


def _health(status: str, paused: list[Paused] | None = None) -> web.Response:
    health = Health(status=status, paused=paused or [])
    return web.json_response(
        text=health.model_dump_json(exclude_defaults=True), status=200 if status == "ok" else 503
    )
