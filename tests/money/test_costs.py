"""Costs: sums over the ledger by each axis, and where the month is going."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service import costing
from service.pictures.pool import Decoders
from service.store import Pool, costs
from service.store.database import Database
from tests.conftest import PRICE, Api, configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.money import books
from tests.money.books import Call
from tests.upstream import Upstream

MARCH = datetime(2025, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PRO = 68_000
LEDGER = [
    Call(MARCH, "described", PRICE, "club", "privacy", "flash"),
    Call(MARCH + DAY - timedelta(microseconds=1), "described", PRO, "club", "privacy", "pro"),
    Call(MARCH + DAY, "refused", 0, "shop", "privacy", "flash"),
    Call(MARCH + DAY, "timeout", PRICE, "shop", "community", "flash"),
    Call(MARCH + DAY, None, None, "shop", "community", "flash"),
    Call(MARCH + 31 * DAY, "described", PRICE, "club", "community", "flash"),  # April
    Call(MARCH - timedelta(microseconds=1), "described", PRO, "club", "privacy", "pro"),  # February
]
# Key, calls, images done, cost, reserved: of March.
WANTED: dict[costs.By, list[tuple[str, int, int, int, int]]] = {
    "day": [("2025-03-01", 2, 2, PRICE + PRO, 0), ("2025-03-02", 3, 0, PRICE, PRICE)],
    "platform": [("club", 2, 2, PRICE + PRO, 0), ("shop", 3, 0, PRICE, PRICE)],
    "ruleset": [("community", 2, 0, PRICE, PRICE), ("privacy", 3, 2, PRICE + PRO, 0)],
    "model": [("flash", 4, 1, 2 * PRICE, PRICE), ("pro", 1, 1, PRO, 0)],
}


async def asked(api: Api, query: str) -> tuple[int, Any]:
    status, body, _ = await api.admin.ask("GET", f"/v1/costs{query}")
    return status, body


@pytest.mark.parametrize("by", costs.BY)
@pytest.mark.parametrize(
    "bounds", ["from=2025-03-01&to=2025-04-01", "from=2025-03-01T01:00:00%2B01:00&to=2025-04-01"]
)
async def test_sums_by_each_axis(by: costs.By, bounds: str, api: Api, owner: Owner) -> None:
    """Each call of the range is counted once, under its day, platform, ruleset or model."""
    await books.write(owner, LEDGER)
    status, body = await asked(api, f"?by={by}&{bounds}")
    assert status == 200
    assert [tuple(item.values()) for item in body["items"]] == WANTED[by]
    assert list(body["items"][0]) == [
        "key",
        "calls",
        "images_done",
        "cost_microusd",
        "reserved_microusd",
    ]
    assert (body["by"], body["from"], body["to"]) == (
        by,
        "2025-03-01T00:00:00Z",
        "2025-04-01T00:00:00Z",
    )


async def test_the_default_is_this_month_by_day(
    api: Api, owner: Owner, pool: Pool, where: Database, decoders: Decoders, upstream: Upstream
) -> None:
    """Without parameters it sums up the month that runs, and says where its price is from."""
    await books.write(owner, LEDGER)
    model = configured(upstream.url, price_version="table 2026-11")
    async with driving.worker(pool, where, decoders, model):
        (upload,) = await books.queued(pool)
        await driving.ended(owner, upload)
    status, body = await asked(api, "")
    assert status == 200
    started = await owner.fetchval("SELECT started_at FROM attempts WHERE upload_id = $1", upload)
    assert [(item["key"], item["calls"], item["cost_microusd"]) for item in body["items"]] == [
        (started.astimezone(UTC).date().isoformat(), 1, PRICE)
    ]
    assert body["month_to_date_microusd"] == PRICE
    assert body["projection_microusd"] >= PRICE
    priced = "SELECT price_version FROM attempts WHERE upload_id = $1"
    assert await owner.fetchval(priced, upload) == "table 2026-11"


@pytest.mark.parametrize(
    ("now", "to_date", "projection"),
    [
        # March 2025 comes to PRICE + PRO + 0 + PRICE, and has 31 days.
        (MARCH + timedelta(days=15.5), 184_000, 368_000),  # half of it has passed
        (MARCH + 31 * DAY - timedelta(microseconds=1), 184_000, 184_000),  # all of it has passed
        (MARCH + timedelta(hours=1), 184_000, 31 * 184_000),  # at least a day has passed
        (MARCH + DAY, 184_000, 31 * 184_000),
        (datetime(2025, 2, 15, tzinfo=UTC), PRO, 2 * PRO),  # 14 of 28 days
        (datetime(2024, 12, 31, tzinfo=UTC), 0, 0),
    ],
)
async def test_projection_is_month_to_date_by_the_time_passed(
    now: datetime, to_date: int, projection: int, owner: Owner
) -> None:
    """Spent x length of the month / time of it that has passed, which is at least a day."""
    await books.write(owner, LEDGER)
    found = await costing.read(owner, "day", None, None, now=now)
    assert (found.month_to_date_microusd, found.projection_microusd) == (to_date, projection)
    assert (found.begin.day, found.begin.month) == (1, now.month)
    assert (found.end - timedelta(microseconds=1)).month == now.month


async def test_an_empty_ledger_costs_nothing(api: Api) -> None:
    """Where nothing was called there are no items and zero sums, not an error."""
    status, body = await asked(api, "?by=model")
    assert status == 200
    assert (body["items"], body["month_to_date_microusd"], body["projection_microusd"]) == (
        [],
        0,
        0,
    )


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?by=hour", "by"),
        ("?from=yesterday", "from"),
        ("?from=10.0", "from"),
        ("?from=2025-03-01T00:00:00", "from"),
        ("?to=2025-02-30", "to"),
        ("?begin=2025-03-01", "begin"),
        ("?from=2025-03-02&to=2025-03-01", "must be before to (2025-03-01T00:00:00+00:00)"),
        ("?from=2025-03-01&to=2025-03-01", "must be before to"),
        ("?to=2025-03-01", "must be before to"),  # from is the beginning of this month
        ("?from=9999-01-01", "must be before to"),
        ("?platform=club", "platform"),
    ],
)
async def test_what_is_wrong_is_refused_and_named(query: str, named: str, api: Api) -> None:
    """Misspelt and impossible parameters are 422 with their name, never ignored."""
    status, body = await asked(api, query)
    assert (status, body["code"]) == (422, "validation_failed")
    assert named in body["detail"]


@pytest.mark.parametrize("role", ["platform", "moderator", "policy"])
async def test_only_an_admin_sees_costs(role: str, api: Api) -> None:
    """What other tenants cost is nobody else's business."""
    caller = getattr(api, role)
    status, body, _ = await caller.ask("GET", "/v1/costs")
    assert (status, body["code"]) == (403, "role_not_allowed")
