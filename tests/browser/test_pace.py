"""A day's work: a hundred decisions without a mouse and without a look at an original."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import expect

from service import applying
from service.reviewing import Terms
from service.store import Pool
from tests.browser import cases
from tests.browser.deciding import decisions, press, told
from tests.browser.driving import Seat
from tests.conftest import Api

MANY = 100
TOLD_S = 30.0


@pytest.fixture
def terms() -> Terms:
    """Decisions that take effect soon, since nobody undoes any here."""
    return Terms(undo=timedelta(seconds=1))


async def test_a_hundred_decisions_need_no_mouse_and_no_original(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """Each case gets the decision of its key, is told once, and no original is asked for."""
    async with pool.acquire() as conn:
        uploads = await cases.add(conn, MANY)
    await seat.sign_in(api, "moderator")
    await seat.page.keyboard.press("Control+k")
    await seat.page.keyboard.type("Held")
    await expect(seat.page.get_by_role("option")).to_have_count(1)
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.locator("main h1")).not_to_have_text("Queues")
    await press(seat.page, "s")
    expected = {}
    for number in range(MANY):
        key, decision = [("b", "block"), ("a", "allow"), ("e", "allow_edited")][number % 3]
        expected[UUID(seat.page.url.split("/case/")[1][:36])] = decision
        await press(seat.page, key)
    await seat.shown("Nothing waits")

    async with pool.acquire() as conn:
        assert await decisions(conn) == expected
        assert set(expected) == set(uploads)
        async with asyncio.timeout(TOLD_S):
            while await told(conn) < MANY:  # the window is the database's to keep
                await applying.apply_due(conn, "https://example.org")
                await asyncio.sleep(0.1)
        assert await conn.fetchval("SELECT count(*) FROM exposures") == 0
    assert not any("/images/original" in one or "/images/raw" in one for one in seat.requests)
    seat.check()
