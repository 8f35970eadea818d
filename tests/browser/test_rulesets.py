"""Policy work in the console: from a text with faults to a published version."""

from playwright.async_api import expect

from tests.browser.driving import Seat
from tests.conftest import Api


async def test_a_ruleset_is_written_checked_and_published(api: Api, seat: Seat) -> None:
    """Faults, price and changes are told while one writes, and the version goes live."""
    await seat.sign_in(api, "policy", "moderator")
    await seat.open("rulesets/privacy/1")
    page = seat.page
    text = page.get_by_label("Text of ruleset privacy")
    source = await text.input_value()
    await expect(page.get_by_text("No faults. The prompt has about")).to_be_visible()
    await text.fill(source.replace("severity: medium", "severity: mediocre", 1))
    fault = page.get_by_role("button", name="Line ")
    await expect(fault).to_be_visible()
    await expect(page.locator(".gutter .wrong")).to_have_count(1)
    await fault.click()
    line = await text.evaluate("e => e.value.slice(0, e.selectionStart).split('\\n').length")
    assert line == source.split("\n").index("    severity: medium") + 1
    await text.fill(source.replace("severity: medium", "severity: high", 1))
    await page.get_by_text("Changes against the live version").click()
    await expect(page.locator(".diff")).to_contain_text("stricter")
    await page.get_by_role("button", name="Save as a draft").click()
    await page.get_by_label("Note").fill("Faces matter more")
    await page.keyboard.press("Enter")
    await expect(page.locator("main h1")).to_contain_text("version 2")
    await page.get_by_role("tab", name="Changes").click()
    await expect(page.locator("#tabpanel")).to_contain_text("high")
    await page.get_by_role("tab", name="Prompt and price").click()
    await expect(page.get_by_label("Prompt", exact=True)).to_contain_text("<ruleset name=")
    await page.get_by_role("tab", name="Golden examples").click()
    await expect(page.locator("#tabpanel")).to_contain_text("examples in this version")
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_label("Why").fill("Agreed on Monday")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .page-head .mark")).to_have_text("live")

    _, found, _ = await api.policy.ask("GET", "/v1/rulesets/privacy")
    assert (found["live_version"], found["newest_version"]) == (2, 2)
    seat.check()


async def test_a_faster_release_is_told(api: Api, seat: Seat) -> None:
    """Whoever publishes over another's release is refused and sees who was faster."""
    await seat.sign_in(api, "policy")
    _, one, _ = await api.policy.ask("GET", "/v1/rulesets/privacy/versions/1")
    for severity in ("high", "low"):
        changed = one["source"].replace("severity: medium", f"severity: {severity}", 1)
        status, _, _ = await api.policy.ask(
            "POST",
            "/v1/rulesets/privacy/versions",
            data=changed,
            headers={"Content-Type": "application/yaml"},
        )
        assert status == 201
    await seat.open("rulesets/privacy/2")
    await seat.page.get_by_role("button", name="Publish").click()
    await api.policy.ask("POST", "/v1/rulesets/privacy/versions/3/publish")
    await seat.page.get_by_label("Why").press("Enter")
    await expect(seat.page.get_by_role("alert")).to_contain_text("3")

    _, found, _ = await api.policy.ask("GET", "/v1/rulesets/privacy")
    assert found["live_version"] == 3
    seat.check("409 /v1/rulesets/privacy/versions/2/publish")


async def test_a_moderator_reads_and_cannot_write(api: Api, seat: Seat) -> None:
    """Without the role there is nothing to save or publish with, and nothing is refused."""
    await seat.sign_in(api, "moderator")
    await seat.open("rulesets/privacy/1")
    await expect(seat.page.get_by_label("Text of ruleset privacy")).to_be_visible()
    await expect(seat.page.get_by_role("button", name="Save as a draft")).to_have_count(0)
    await expect(seat.page.get_by_role("button", name="Publish")).to_have_count(0)
    seat.check()
