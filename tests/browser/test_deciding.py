"""Deciding by keyboard: fast, undoable, alone on a case, and without looking at the original."""

from playwright.async_api import Browser, expect

from service import applying
from service.store import Pool
from tests.browser import cases, driving
from tests.browser.deciding import decisions, press, told
from tests.browser.driving import Seat
from tests.conftest import Api


async def test_an_undone_decision_is_never_told(api: Api, pool: Pool, seat: Seat) -> None:
    """Inside the window `u` takes the decision back, shows its case, and no callback is written."""
    async with pool.acquire() as conn:
        await cases.add(conn, 2)
    await seat.sign_in(api, "moderator")
    await seat.open("case", queue="held")
    first = seat.page.url
    await press(seat.page, "b")
    toast = seat.page.locator("undo-toast")
    await expect(toast).to_contain_text("Blocked")
    await expect(toast).to_contain_text("s")
    await press(seat.page, "u")

    assert seat.page.url == first
    await expect(toast).to_have_count(0)
    async with pool.acquire() as conn:
        assert await decisions(conn) == {}
        await conn.execute("SELECT pg_sleep(0)")
        assert await applying.apply_due(conn, "https://example.org") == 0
        assert await told(conn) == 0
    await expect(seat.page.get_by_text("Blocked, then undone")).to_be_visible()
    seat.check()


async def test_of_two_people_on_a_case_one_is_told_of_the_other(
    api: Api, pool: Pool, browser: Browser, seat: Seat, colleague: str
) -> None:
    """The one who comes later learns who has the case, and after that what was decided."""
    async with pool.acquire() as conn:
        (upload,) = await cases.add(conn, 1)
    await seat.sign_in(api, "moderator")
    await seat.open(f"case/{upload}")
    async with driving.seat(browser, api.url) as other:
        await other.page.goto(f"{api.url}/console/#token={colleague}")
        await other.shown("Queues")
        await other.open(f"case/{upload}")
        notice = other.page.locator(".conflict")
        await expect(notice).to_contain_text("Somebody else has this case")
        await press(seat.page, "b")
        await other.page.keyboard.press("a")
        await expect(notice).to_contain_text("Somebody decided meanwhile")
        await expect(notice).to_contain_text("Blocked by")
        other.check(f"409 /v1/reviews/{upload}/decision", f"409 /v1/reviews/{upload}/lease")

    async with pool.acquire() as conn:
        assert await decisions(conn) == {upload: "block"}
    seat.check()


async def test_keys_do_nothing_while_somebody_types(api: Api, pool: Pool, seat: Seat) -> None:
    """Every key of a decision can be written in a field, held down, or pressed in a dialog."""
    async with pool.acquire() as conn:
        await cases.add(conn, 1)
    await seat.sign_in(api, "moderator")
    await seat.open("case", queue="held")
    reason, comment = seat.page.locator("#reason"), seat.page.locator("#comment")
    await reason.click()
    await seat.page.keyboard.type("abexsnuv")
    await comment.click()
    await seat.page.keyboard.type("abexsnuv")
    await seat.page.locator("main h1").focus()
    await seat.page.keyboard.press("Control+b")
    await seat.page.keyboard.press("?")
    await expect(seat.page.get_by_role("dialog")).to_be_visible()
    await seat.page.keyboard.press("b")
    await seat.page.keyboard.press("Escape")

    await expect(reason).to_have_value("abexsnuv")
    await expect(comment).to_have_value("abexsnuv")
    assert not any("/decision" in one or "/skip" in one for one in seat.requests)
    async with pool.acquire() as conn:
        assert await decisions(conn) == {}
    seat.check()


async def test_single_keys_can_be_switched_off(api: Api, pool: Pool, seat: Seat) -> None:
    """With keys off a letter decides nothing, and the button still does."""
    async with pool.acquire() as conn:
        (upload,) = await cases.add(conn, 1)
    await seat.sign_in(api, "moderator")
    await seat.open(f"case/{upload}")
    await seat.page.get_by_role("button", name="Guide").click()
    await seat.page.get_by_label("Single-letter keys").select_option("off")
    await seat.page.keyboard.press("Escape")
    await seat.page.keyboard.press("b")
    await seat.page.get_by_role("button", name="Escalate").click()
    await seat.shown("Records")

    async with pool.acquire() as conn:
        assert await decisions(conn) == {upload: "escalate"}
    seat.check()


async def test_a_reason_is_asked_for_where_the_queue_wants_one(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """Without a reason the field is entered, and Enter decides once there is one."""
    async with pool.acquire() as conn:
        (upload,) = await cases.add(conn, 1)
    settings = {"name": "strict", "title": "Strict", "reason_required": ["block"]}
    status, body, _ = await api.admin.ask("POST", "/v1/queues", json=settings)
    assert status == 201, body
    await seat.sign_in(api, "moderator")
    await seat.open("case", queue="strict")
    await seat.page.keyboard.press("b")
    await expect(seat.page.locator("#reason")).to_be_focused()
    await seat.page.keyboard.type("A number")
    await press(seat.page, "Enter")

    async with pool.acquire() as conn:
        query = "SELECT reason FROM decisions WHERE upload_id = $1"
        assert await conn.fetchval(query, upload) == "A number"
    seat.check()
