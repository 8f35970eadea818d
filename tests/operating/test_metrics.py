"""Every metric moves when what it measures does, in the API and in the other processes."""

import asyncio
import re
import socket
from collections.abc import Callable

import pytest

from service import log, measuring
from service.measuring import Calls, MeasuredPoster
from service.posting import PostFailed
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.callbacks.receivers import receiving, says
from tests.conftest import Api
from tests.flows import driving, processes
from tests.flows.driving import TEAL, Owner
from tests.operating import world
from tests.operating.examined import closed_port
from tests.operating.scraping import Samples, ours, scrape, value
from tests.upstream import Upstream, error, hanging

MODEL = "gemini-3.1-flash-image-preview"
# What a world that was filled shows, at least.
SHOWN: dict[str, tuple[float, dict[str, str]]] = {
    "uploads_unfinished": (2, {"state": "queued"}),
    "uploads_due": (1, {}),
    "uploads_ended": (2, {"outcome": "redacted"}),
    "attempts_recent": (
        1,
        {"upstream": "scripted", "model": MODEL, "outcome": "refused"},
    ),
    "upstream_up": (1, {"upstream": "scripted"}),
    "callback_endpoints": (1, {"standing": "well"}),
    "callbacks_waiting": (4, {}),
    "decisions_recent": (1, {"decision": "block"}),
    "spent_dollars": (0.058, {"period": "day"}),
    "budget_used_ratio": (0.058 / 1000, {"scope": "global", "period": "day"}),
    "reviews_pending": (1, {}),
}
# What grows all the time, so that only its sign can be told.
POSITIVE: tuple[tuple[str, dict[str, str]], ...] = (
    ("uploads_oldest_seconds", {"state": "queued"}),
    ("uploads_due_oldest_seconds", {}),
    ("callbacks_oldest_seconds", {}),
    ("reviews_oldest_seconds", {}),
    ("disk_used_ratio", {}),
    ("log_events_total", {"event": "upload_accepted"}),
    ("log_events_total", {"event": "upload_described"}),
)


async def test_the_api_shows_what_is_in_the_database(
    api: Api, upstream: Upstream, owner: Owner, pool: Pool, working: Callable[[], None]
) -> None:
    """Everything is 0 before anything has happened, and what has happened is shown."""
    before = await scrape(f"{api.url}/metrics")
    for name, (_, labels) in SHOWN.items():
        assert value(before, name, **labels) == 0, name
    await world.fill(api, upstream, owner, pool, working)
    await _until(api, lambda seen: value(seen, "event_loop_lag_seconds_count") > 0)

    seen = await scrape(f"{api.url}/metrics")

    shown = {name: value(seen, name, **labels) for name, (_, labels) in SHOWN.items()}
    assert shown == {name: pytest.approx(wanted) for name, (wanted, _) in SHOWN.items()}
    async with pool.acquire():
        busy = await scrape(f"{api.url}/metrics")
    assert value(busy, "database_connections", state="used") == 1
    assert [name for name, labels in POSITIVE if value(seen, name, **labels) <= 0] == []
    route = {"method": "POST", "route": "/v1/uploads", "status": "202"}
    assert value(seen, "http_request_seconds_count", **route) == 5
    at_once = await asyncio.gather(*(scrape(f"{api.url}/metrics") for _ in range(20)))
    assert {value(one, "uploads_ended", outcome="redacted") for one in at_once} == {2}
    named = {label for _, labels in seen for label, _ in labels}
    assert not named & {"platform", "upload_id", "id", "path"}


async def test_what_is_paused_lapsed_and_slowed_is_shown(api: Api, owner: Owner) -> None:
    """The breaker, lost leases and endpoints that fail show, and go away again."""
    await api.platform.upload(TEAL)
    await owner.execute("UPDATE uploads SET state = 'working', due_at = now() - interval '1 min'")
    await owner.execute(
        "INSERT INTO upstreams (name, failures, down_since, down_reason, probe_at, slowed_to,"
        " slowed_at) VALUES ('fast', 3, now(), 'unreachable', now(), 10, now())"
    )
    seen = await scrape(f"{api.url}/metrics")

    assert value(seen, "leases_lapsed") == 1
    assert value(seen, "uploads_unfinished", state="working") == 1
    assert value(seen, "upstream_up", upstream="fast") == 0
    assert value(seen, "upstream_failures_in_a_row", upstream="fast") == 3
    assert value(seen, "upstream_slowed_to_per_minute", upstream="fast") >= 10
    assert ("moderation_upstream_calls_under_way", frozenset({("upstream", "fast")})) in seen

    await owner.execute("DELETE FROM upstreams")
    assert not [
        name
        for name, labels in await scrape(f"{api.url}/metrics")
        if ("upstream", "fast") in labels
    ]


async def _until(api: Api, holds: Callable[[Samples], bool]) -> None:
    async def seen() -> bool:
        return holds(await scrape(f"{api.url}/metrics"))

    await driving.until(seen, "the metric shows it")


async def test_a_worker_shows_its_calls(
    where: Database, upstream: Upstream, pool: Pool, owner: Owner
) -> None:
    """A call under way is counted, then timed by how it ended; so are decoding and lost leases."""
    port, answer = closed_port(), asyncio.Event()
    url = f"http://127.0.0.1:{port}/metrics"
    upstream.script = [hanging(answer), error(400, "moderation_blocked")]
    async with processes.work(where, upstream.url, metrics_port=port):
        held = await driving.queued(pool, draw.png(8, 8, "red"))
        await asyncio.wait_for(upstream.arrived.wait(), 20)
        assert value(await scrape(url), "calls_under_way", to="default") == 1
        answer.set()
        refused = await driving.queued(pool, draw.png(9, 8, "red"))
        await driving.ended(owner, held, refused)

        seen = await scrape(url)
        assert value(seen, "calls_under_way", to="default") == 0
        for outcome in ("answered", "refused"):
            assert value(seen, "calls_seconds_count", to="default", outcome=outcome) == 1
        assert value(seen, "calls_seconds_sum", to="default", outcome="answered") > 0
        assert value(seen, "decode_seconds_count") >= 2
        assert value(seen, "log_events_total", event="upload_described") == 1
        assert value(seen, "log_events_total", event="upload_failed") == 1

        upstream.arrived.clear()
        answer.clear()
        upstream.script = [hanging(answer)]
        stolen = await driving.queued(pool, draw.png(10, 8, "red"))
        await asyncio.wait_for(upstream.arrived.wait(), 20)
        await owner.execute("UPDATE uploads SET attempt = attempt + 1 WHERE id = $1", stolen)

        async def told() -> bool:
            return (
                value(
                    await scrape(url), "calls_seconds_count", to="default", outcome="cut_off_here"
                )
                == 1
            )

        await driving.until(told, "the call that lost its lease was cut off")
        answer.set()


async def test_deliveries_are_timed(pool: Pool) -> None:
    """What a receiver answers, and that one is away, shows at the port of the process."""
    port = closed_port()
    async with (
        receiving(says(204), says(500)) as receiver,
        measuring.shown(pool, "127.0.0.1", port) as process,
        MeasuredPoster(("127.0.0.1",), 5.0, Calls(process.registry, "deliveries", "x")) as poster,
    ):
        for _ in range(2):
            await poster.post(receiver.url, {}, b"{}")
        with pytest.raises(PostFailed):
            await poster.post(f"http://127.0.0.1:{closed_port()}/", {}, b"{}")
        seen = await scrape(f"http://127.0.0.1:{port}/metrics")
    for outcome in ("2xx", "5xx", "failed"):
        assert value(seen, "deliveries_seconds_count", to="receivers", outcome=outcome) == 1
    assert value(seen, "deliveries_under_way", to="receivers") == 0


async def test_a_port_that_is_taken_is_no_reason_not_to_work(
    pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another port serves, and the log says which, and that the one asked for was taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with measuring.shown(pool, "127.0.0.1", taken.getsockname()[1]):
            said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)
            assert "metrics_port_taken" in said
            (port,) = re.findall(r"metrics_shown .*port=(\d+)", said)
            seen = await scrape(f"http://127.0.0.1:{port}/metrics")
            log.get().info("seen_once")
            again = await scrape(f"http://127.0.0.1:{port}/metrics")
    assert "moderation_event_loop_lag_seconds_count" in ours(seen)
    assert value(again, "log_events_total", event="seen_once") == 1
    log.get().info("not_watched_any_more")
    assert value(again, "log_events_total", event="not_watched_any_more") == 0
