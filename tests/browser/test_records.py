"""Searching: every state has an address, and what was found can be kept, exported and decided."""

import json
from pathlib import Path

from playwright.async_api import expect

from service.store import Pool, records
from service.web.console import read
from tests.browser import cases
from tests.browser.driving import Seat
from tests.conftest import Api


def test_the_console_offers_every_filter() -> None:
    """The form has a field for each filter of the API."""
    script = read()["js/filters.js"].data.decode()

    assert [name for name in records.Filter.model_fields if f'name: "{name}"' not in script] == []


async def test_a_search_has_an_address_that_gives_it_again(
    api: Api, pool: Pool, seat: Seat
) -> None:
    """The filters stand in the address, and whoever opens that finds the same."""
    async with pool.acquire() as conn:
        await cases.add(conn, 3)
        await cases.add(conn, 1, rules=("card-numbers",), severity=4)
    await seat.sign_in(api, "moderator")
    await seat.page.get_by_role("link", name="Records").click()
    await seat.page.get_by_label("Words in the description").fill("phone number")
    await seat.page.get_by_label("Severity").select_option("4")
    await seat.page.get_by_role("button", name="Search").click()
    found = seat.page.locator(".cases li")
    await expect(found).to_have_count(1)
    assert "text=phone+number" in seat.page.url
    await seat.page.get_by_role("button", name="grid").click()
    await expect(seat.page.locator(".cases.grid li")).to_have_count(1)
    await seat.page.reload()
    await expect(found).to_have_count(1)
    await expect(seat.page.get_by_label("Severity")).to_have_value("4")
    await seat.page.get_by_role("button", name="Clear").click()
    await expect(found).to_have_count(4)
    seat.check()


async def test_a_bad_path_is_told_beside_the_filters(api: Api, seat: Seat) -> None:
    """The refusal is shown, and the filters stay as they were written."""
    await seat.sign_in(api, "moderator")
    await seat.open("records", where="$.findings[")
    await expect(seat.page.get_by_role("alert")).to_be_visible()
    await expect(seat.page.get_by_label("JSON path")).to_have_value("$.findings[")
    seat.check("400 /v1/records")


async def test_a_view_is_kept_by_the_service(api: Api, pool: Pool, seat: Seat) -> None:
    """What was saved can be chosen again from anywhere, and deleted."""
    async with pool.acquire() as conn:
        await cases.add(conn, 2)
    await seat.sign_in(api, "moderator")
    await seat.open("records", rule="contact-details", min_severity="2")
    await seat.page.get_by_role("button", name="Save this view").click()
    await seat.page.get_by_role("dialog").get_by_label("Name").fill("Phone numbers")
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.get_by_label("Saved view")).to_contain_text("Phone numbers")
    await seat.open("records")
    await seat.page.get_by_label("Saved view").select_option(label="Phone numbers")
    await expect(seat.page.get_by_label("Rule", exact=True)).to_have_value("contact-details")
    await seat.page.get_by_role("button", name="Delete view").click()
    await expect(seat.page.get_by_label("Saved view")).not_to_contain_text("Phone numbers")
    seat.check()


async def test_what_was_found_is_exported(api: Api, pool: Pool, seat: Seat, tmp_path: Path) -> None:
    """The file has a line for each record that was found, and no other."""
    async with pool.acquire() as conn:
        await cases.add(conn, 3)
        await cases.add(conn, 2, rules=("card-numbers",))
    await seat.sign_in(api, "moderator")
    await seat.open("records", rule="contact-details")
    async with seat.page.expect_download() as waiting:
        await seat.page.get_by_role("button", name="Export JSONL").click()
    download = await waiting.value
    await download.save_as(tmp_path / "records.jsonl")
    lines = (tmp_path / "records.jsonl").read_text("utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == 3
    seat.check()


async def test_many_are_decided_after_they_were_counted(api: Api, pool: Pool, seat: Seat) -> None:
    """The count is told before anything is decided, and the whole can be undone."""
    async with pool.acquire() as conn:
        await cases.add(conn, 5)
    await seat.sign_in(api, "moderator")
    await seat.open("records", rule="contact-details")
    await seat.page.get_by_role("button", name="Decide all").click()
    await seat.page.get_by_role("dialog").get_by_label("Reason").fill("A campaign")
    await seat.page.keyboard.press("Enter")
    button = seat.page.get_by_role("button", name="Block 5")
    await expect(button).to_be_visible()
    count = "SELECT count(*) FROM decisions WHERE undone_at IS NULL"
    async with pool.acquire() as conn:
        assert await conn.fetchval(count) == 0
        await button.click()
        await expect(seat.page.get_by_text("Blocked: 5 cases")).to_be_visible()
        assert await conn.fetchval(count) == 5
        await seat.page.get_by_role("button", name="Undo all").click()
        await expect(seat.page.locator(".toast", has_text="Undone.")).to_be_visible()
        assert await conn.fetchval(count) == 0
    seat.check()
