"""
What each process measures of itself, and where it shows that.

Whatever went wrong is a line of the log, so lines are counted by the names of their events and
nothing else has to be counted where it happens.  Labels are names of events, upstreams and
outcomes, all from the code or the settings.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import prometheus_client
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from service import log
from service.edits import Answer as Edited
from service.edits import AttemptFailed, Edit, Reply, Upstream
from service.edits.client import EditsClient
from service.edits.replies import Description
from service.pictures.pool import Decoders
from service.pictures.wire import Answer as Decoded
from service.pictures.wire import Asked
from service.posting import Answer, Poster, PostFailed
from service.store import Pool

LOOK_S: Final = 0.5
_LAGS_S: Final = (0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 30.0)
_CALLS_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


@dataclass(frozen=True, slots=True)
class Process:
    """What every process measures: lines of its log, its event loop, its connections."""

    registry: CollectorRegistry
    events: Counter
    lag: Histogram

    def count(self, event: str) -> None:
        """Count a line of the log."""
        self.events.labels(event).inc()


def new_process(pool: Pool) -> Process:
    """Make a registry of its own, so that two applications in one process do not collide."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    connections = Gauge(
        "moderation_database_connections", "Of this process", ("state",), registry=registry
    )
    connections.labels("idle").set_function(pool.get_idle_size)
    connections.labels("used").set_function(lambda: pool.get_size() - pool.get_idle_size())
    return Process(
        registry=registry,
        events=Counter(
            "moderation_log_events", "Lines of the log by event", ("event",), registry=registry
        ),
        lag=Histogram(
            "moderation_event_loop_lag_seconds",
            "How late the event loop came back to what was due",
            registry=registry,
            buckets=_LAGS_S,
        ),
    )


@asynccontextmanager
async def watched(process: Process) -> AsyncIterator[None]:
    """Count the lines of the log and measure the event loop meanwhile."""

    async def look() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(LOOK_S)
            process.lag.observe(max(0.0, time.monotonic() - begun - LOOK_S))

    task = asyncio.create_task(look())
    try:
        with log.watched(process.count):
            yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Calls:
    """Measures calls: how many are under way, and how long each took, by how it ended."""

    def __init__(self, registry: CollectorRegistry, name: str, what: str) -> None:
        self._under_way = Gauge(
            f"moderation_{name}_under_way", f"{what} under way", ("to",), registry=registry
        )
        self._seconds = Histogram(
            f"moderation_{name}_seconds",
            f"{what} that ended",
            ("to", "outcome"),
            registry=registry,
            buckets=_CALLS_S,
        )

    @contextmanager
    def measured(self, to: str) -> Iterator[dict[str, str]]:
        """Time what is done inside, which says in the value how it ended; else it was cut off."""
        begun, ended = time.monotonic(), {"outcome": "cut_off_here"}
        with self._under_way.labels(to).track_inprogress():
            try:
                yield ended
            finally:
                took_s = time.monotonic() - begun
                self._seconds.labels(to, ended["outcome"]).observe(took_s)


class MeasuredClient(EditsClient):
    """Calls edits endpoints, and measures that."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    async def edit(self, edit: Edit, upstream: Upstream) -> tuple[Edited, Reply]:
        """Make one paid call; see the class above."""
        with self._measured(upstream):
            return await super().edit(edit, upstream)

    async def describe(
        self, edit: Edit, faults: Sequence[str], upstream: Upstream
    ) -> tuple[Description, Reply]:
        """Make one paid call for the description alone; see the class above."""
        with self._measured(upstream):
            return await super().describe(edit, faults, upstream)

    @contextmanager
    def _measured(self, upstream: Upstream) -> Iterator[None]:
        with self._calls.measured(upstream.name) as ended:
            try:
                yield
            except AttemptFailed as failure:
                ended["outcome"] = failure.outcome
                raise
            ended["outcome"] = "answered"


class MeasuredDecoders(Decoders):
    """Decodes, and measures how long a picture takes with its wait for a free child."""

    def __init__(self, processes: int, registry: CollectorRegistry) -> None:
        super().__init__(processes)
        self._seconds = Histogram(
            "moderation_decode_seconds",
            "Decoding a picture, with the wait for a free decoder",
            registry=registry,
        )

    async def _answer(self, asked: Asked[Decoded]) -> Decoded:
        with self._seconds.time():
            return await super()._answer(asked)


class MeasuredPoster(Poster):
    """Delivers callbacks, and measures that."""

    def __init__(self, trusted_hosts: tuple[str, ...], timeout_s: float, calls: Calls) -> None:
        super().__init__(trusted_hosts, timeout_s)
        self._calls = calls

    async def post(self, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a body; see the class above."""
        with self._calls.measured("receivers") as ended:
            try:
                answer = await super().post(address, headers, body)
            except PostFailed:
                ended["outcome"] = "failed"
                raise
            ended["outcome"] = f"{answer.status // 100}xx"
            return answer


@asynccontextmanager
async def shown(pool: Pool, host: str, port: int | None) -> AsyncIterator[Process]:
    """
    Count, measure, and show it at /metrics of this port meanwhile; nowhere if that is None.

    A port that is taken is no reason not to work: any other serves then, and is logged.
    """
    process = new_process(pool)
    async with watched(process):
        if port is None:
            yield process
            return
        runner = await _serving(process.registry, host, port)
        try:
            log.get().info("metrics_shown", host=host, port=runner.addresses[0][1])
            yield process
        finally:
            await runner.cleanup()


async def _serving(registry: CollectorRegistry, host: str, port: int) -> web.ServerRunner:
    async def metrics(request: web.BaseRequest) -> web.Response:
        return response(registry) if request.path == "/metrics" else web.Response(status=404)

    runner = web.ServerRunner(web.Server(metrics))
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        log.get().warning("metrics_port_taken", port=port, reason=str(error))
        await web.TCPSite(runner, host, 0).start()
    return runner


def response(registry: CollectorRegistry) -> web.Response:
    """Give the metrics in Prometheus' text format."""
    return web.Response(
        body=prometheus_client.generate_latest(registry),
        headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST},
    )
