"""Looking: covered until wanted, the original for a reason, never more than a day bears."""

from uuid import UUID

from playwright.async_api import expect

from service.store import Pool
from tests.browser import cases
from tests.browser.driving import Seat
from tests.conftest import Api


async def opened(api: Api, pool: Pool, seat: Seat, **changes: object) -> UUID:
    """Sign in and open a case of severity 4 in the queue `held`."""
    async with pool.acquire() as conn:
        (upload,) = await cases.add(conn, 1, severity=4, **changes)
    await seat.sign_in(api, "moderator")
    await seat.open(f"case/{upload}", queue="held")
    return upload


async def reveal(seat: Seat) -> None:
    """Ask for the original with a reason."""
    await seat.page.keyboard.press("o")
    await seat.page.keyboard.type("The edit hides too much")
    await seat.page.keyboard.press("Enter")


async def test_the_edited_picture_is_covered_until_it_is_wanted(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """It is blurred at first, `v` uncovers it, and `v` covers it again."""
    await opened(api, pool, seat)
    blurred = seat.page.locator("case-viewer img.blurred")
    await expect(blurred).to_have_count(1)
    await seat.page.keyboard.press("v")
    await expect(blurred).to_have_count(0)
    await expect(seat.page.locator("case-viewer img")).to_be_visible()
    await seat.page.keyboard.press("v")
    await expect(blurred).to_have_count(1)
    seat.check()


async def test_a_finding_draws_its_region_and_shows_its_rule(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """Focus by `j` and the pointer draw the region; the rule is that of the judged version."""
    await opened(api, pool, seat)
    region = seat.page.locator("case-viewer rect.chosen")
    await expect(region).to_have_count(0)
    await seat.page.keyboard.press("j")
    await expect(region).to_be_visible()
    await seat.page.locator("main h1").focus()
    await expect(region).to_have_count(0)
    await seat.page.locator(".finding").hover()
    await expect(region).to_be_visible()
    await seat.page.get_by_text("Rule text").click()
    await expect(seat.page.locator(".rule-text")).to_contain_text("Readable details by which")
    await expect(seat.page.get_by_role("link", name="privacy, version 1")).to_be_visible()
    seat.check()


async def test_the_original_opens_for_a_reason_and_is_noted(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """No reason, no original; each that is served has its exposure row; it can be compared."""
    upload = await opened(api, pool, seat)
    await seat.page.keyboard.press("o")
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.get_by_role("dialog")).to_be_visible()
    await seat.page.keyboard.press("Escape")
    await reveal(seat)
    await expect(seat.page.get_by_alt_text("Original picture")).to_be_visible()
    await seat.page.keyboard.press("3")
    await expect(seat.page.locator("case-viewer figure")).to_have_count(2)
    await seat.page.keyboard.press("4")
    slider = seat.page.get_by_role("slider")
    await slider.focus()
    await slider.press("ArrowRight")
    await expect(slider).to_have_value("51")
    await seat.page.locator("main h1").focus()
    await seat.page.keyboard.press("1")
    await expect(seat.page.get_by_alt_text("Original picture")).to_have_count(0)

    served = [one for one in seat.requests if one.endswith("/images/original")]
    async with pool.acquire() as conn:
        rows = await conn.fetch("SELECT upload_id FROM exposures")
    assert [row["upload_id"] for row in rows] == [upload] * len(served)
    assert len(served) == 1
    seat.check()


async def test_a_spent_budget_is_refused_kindly_and_the_case_handed_over(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """Nothing is served, the person may hand over, and is not offered the case again."""
    budget = {"items": [{"severity": 4, "per_day": 0}]}
    assert (await api.admin.ask("PATCH", "/v1/exposure-budgets", json=budget))[0] == 200
    upload = await opened(api, pool, seat)
    await reveal(seat)
    await expect(seat.page.get_by_role("heading", name="Enough for today")).to_be_visible()
    await expect(seat.page.get_by_role("dialog")).to_contain_text("critical: 0 of 0 today")
    await seat.page.get_by_role("button", name="Hand over").click()
    await seat.shown("Nothing waits")

    assert not any(one.endswith("/images/original") for one in seat.requests)
    seat.check(f"403 /v1/reviews/{upload}/reveal")


async def test_a_case_that_was_deleted_says_so(api: Api, pool: Pool, seat: Seat) -> None:
    """It is no fault: the page tells calmly that nothing is left to look at."""
    upload = await opened(api, pool, seat)
    assert (await api.admin.ask("DELETE", f"/v1/uploads/{upload}"))[0] == 204
    await seat.open(f"case/{upload}")
    await expect(seat.page.get_by_role("heading", name="This upload was deleted")).to_be_visible()
    await expect(seat.page.get_by_role("alert")).to_have_count(0)
