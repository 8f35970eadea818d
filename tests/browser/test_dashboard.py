"""The dashboard: what is drawn stands as numbers behind it."""

from datetime import UTC, datetime

from playwright.async_api import expect

from service.store import Pool
from tests.browser import cases
from tests.browser.driving import Seat
from tests.browser.test_accessibility import violations
from tests.conftest import Api

DECISIONS = ("allow", "allow_edited", "allow_edited", "block", "escalate")


async def decide(api: Api, pool: Pool) -> None:
    """Decide five cases one by one, one of them after a look at the original."""
    async with pool.acquire() as conn:
        uploads = await cases.add(conn, len(DECISIONS))
    reveal = await api.moderator.ask(
        "POST", f"/v1/reviews/{uploads[0]}/reveal", json={"reason": "a toy?"}
    )
    assert reveal[0] == 201, reveal[1]
    for upload, decision in zip(uploads, DECISIONS, strict=True):
        status, body, _ = await api.moderator.ask(
            "POST", f"/v1/reviews/{upload}/decision", json={"decision": decision}
        )
        assert status == 201, body


async def test_decisions_are_drawn_by_day_with_a_table_behind(
    api: Api, pool: Pool, seat: Seat, axe: str
) -> None:
    """Each kind has its part of the day's bar, and the table has the same numbers in words."""
    await decide(api, pool)
    today = datetime.now(UTC).date().isoformat()
    await seat.sign_in(api, "moderator")
    await seat.open("dashboard", days="7")
    chart = seat.page.locator(
        "section", has=seat.page.get_by_role("heading", name="Decisions by day")
    )
    drawn = {
        kind: float(str(await chart.locator(f"rect.{kind}").last.get_attribute("height")))
        for kind in ("allow", "allow_edited", "block", "escalate")
    }
    assert drawn == {"allow": 32, "allow_edited": 64, "block": 32, "escalate": 32}
    assert await chart.locator("line.across").count() == 1
    assert await chart.locator("line.across").get_attribute("y1") == "32"
    await expect(chart.get_by_label("Key, from below")).to_contain_text("Without reveal")
    await chart.get_by_text("As a table").click()
    rows = chart.get_by_role("row")
    await expect(rows).to_have_count(8)
    heads = ["Day", "Allow", "Allow edited", "Block", "Escalate", "Without reveal", "In bulk"]
    assert await rows.first.locator("th").all_inner_texts() == heads
    assert (await rows.last.inner_text()).split() == [today, "1", "2", "1", "1", "4", "0"]
    assert await violations(seat, axe) == []
    await seat.page.set_viewport_size({"width": 360, "height": 740})
    assert await seat.wide() == 0
    seat.check()
