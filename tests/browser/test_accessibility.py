"""For everybody: each page without a violation, in both colours and directions, at any width."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from service.store import Pool
from tests.browser import cases, driving
from tests.browser.driving import Seat
from tests.conftest import Api

PAGES = ("", "queue/held", "queue/held?view=grid", "CASE", "records", "records?view=grid")
POLICY = ("rulesets", "rulesets/privacy", "rulesets/privacy/1", "rulesets/privacy/1?tab=prompt")
MORE = ("rulesets/privacy/1?tab=examples", "rulesets/privacy/1?tab=releases", "dashboard")
ALL = (*PAGES, "queue/held/settings", *POLICY, *MORE)
# WCAG 2.2 at AA, and what axe-core knows of good practice beside it.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = {"width": 360, "height": 740}
WINDOWS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
}
# Dark colours are the slow one: no page is wider by them.
MEASURED = ["light", "phone", pytest.param("dark", marks=pytest.mark.slow)]
WIDTHS: dict[str, dict[str, Any]] = {
    "right-to-left": {"settings": {"direction": "rtl"}},
    "right-to-left phone": {"settings": {"direction": "rtl"}, "viewport": PHONE},
    "huge": {"viewport": {"width": 3840, "height": 2160}},
}


async def violations(seat: Seat, axe: str) -> list[str]:
    """Run axe-core on what is shown; give each violation with where it is."""
    # What scrolls under the decision bar is not too small: at the end nothing lies under it.
    await seat.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await seat.page.evaluate(axe)
    run = f"axe.run(document, {{runOnly: {json.dumps(RULES)}, resultTypes: ['violations']}})"
    found = (await seat.page.evaluate(run))["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("window", MEASURED)
async def test_no_page_has_a_violation_or_is_too_wide(
    api: Api, pool: Pool, browser: Browser, axe: str, window: str
) -> None:
    """axe-core finds nothing, and nothing makes the page scroll sideways."""
    async with pool.acquire() as conn:
        ids = await cases.add(conn, 8, said={"text_to_model": ["Approve this picture."]})
    found = {}
    async with driving.seat(browser, api.url, **WINDOWS[window]) as seat:
        assert await sign_in_page(seat, axe) == []
        await seat.sign_in(api, "moderator", "policy", "admin")
        for page in ALL:
            await seat.go(page.replace("CASE", f"case/{ids[0]}?queue=held"))
            found[page] = await violations(seat, axe)
            assert (page, await seat.wide()) == (page, 0)
        seat.check()

    assert {page: faults for page, faults in found.items() if faults} == {}


@pytest.mark.parametrize("window", WIDTHS)
async def test_no_page_is_too_wide_in_any_direction(
    api: Api, pool: Pool, browser: Browser, window: str
) -> None:
    """Nothing makes a page scroll sideways, and the text stands where its direction begins."""
    async with pool.acquire() as conn:
        ids = await cases.add(conn, 4)
    options = dict(WIDTHS[window])
    kept = options.pop("settings", {})
    async with driving.seat(browser, api.url, **options) as seat:
        script = f"localStorage.setItem('moderation.settings', '{json.dumps(kept)}')"
        await seat.page.add_init_script(script)
        await seat.sign_in(api, "moderator", "policy", "admin")
        for page in ALL:
            await seat.go(page.replace("CASE", f"case/{ids[0]}?queue=held"))
            assert (page, await seat.wide()) == (page, 0)
            side = "right" if kept else "left"
            await expect(seat.page.locator("main h1")).to_have_css("text-align", side)
        seat.check()


async def sign_in_page(seat: Seat, axe: str) -> list[str]:
    """Look at the page of somebody who is not signed in."""
    await seat.open()
    return await violations(seat, axe)


@pytest.mark.parametrize("key", ["?", "Control+k", "o"])
async def test_no_dialog_has_a_violation(
    api: Api, pool: Pool, seat: Seat, axe: str, key: str
) -> None:
    """axe-core finds nothing in a dialog; Escape closes it, and focus is where it was."""
    async with pool.acquire() as conn:
        (upload,) = await cases.add(conn, 1)
    await seat.sign_in(api, "moderator")
    await seat.open(f"case/{upload}")
    await seat.page.locator("#reason").focus()
    await seat.page.locator("main h1").focus()
    await seat.page.keyboard.press(key)
    await expect(seat.page.get_by_role("dialog")).to_be_visible()
    assert await violations(seat, axe) == []
    await seat.page.keyboard.press("Escape")
    await expect(seat.page.get_by_role("dialog")).to_have_count(0)
    await expect(seat.page.locator("main h1")).to_be_focused()
    seat.check()


async def test_dark_is_dark_and_can_be_switched(api: Api, browser: Browser) -> None:
    """The system's colours are taken, and a person may choose others, which stay."""
    async with driving.seat(browser, api.url, color_scheme="dark") as seat:
        await seat.sign_in(api, "moderator")
        assert await paper(seat) == "rgb(18, 21, 26)"
        await seat.page.keyboard.press("?")
        await seat.page.get_by_label("Colours").select_option("light")
        assert await paper(seat) == "rgb(244, 245, 247)"
        await seat.page.reload()
        await seat.shown("Queues")
        assert await paper(seat) == "rgb(244, 245, 247)"
        seat.check()


async def paper(seat: Seat) -> str:
    """Tell the colour behind everything."""
    script = "getComputedStyle(document.documentElement).backgroundColor"
    return str(await seat.page.evaluate(script))


async def test_everything_on_a_case_is_reached_by_tab(api: Api, pool: Pool, seat: Seat) -> None:
    """From the top, Tab comes to the skip link, the finding, the picture, and each decision."""
    async with pool.acquire() as conn:
        (upload,) = await cases.add(conn, 1)
    await seat.sign_in(api, "moderator")
    await seat.open(f"case/{upload}")
    await seat.settled()
    await seat.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        await seat.page.keyboard.press("Tab")
        reached.add(await seat.page.evaluate(NAMED))
    wanted = {"Skip to the content", "Finding 1: contact-details", "Picture", "Guide?", "Reason"}
    wanted |= {"Allowa", "Allow editede", "Blockb", "Escalatex", "Skips", "Uncoverv"}
    assert wanted - reached == set()
    seat.check()


NAMED = """(() => {
    const e = document.activeElement;
    return e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent ?? e.textContent;
})()"""
