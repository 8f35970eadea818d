"""Golden examples in the console: priced before they are run, and in the way of publishing."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from service.quoting import Offer
from service.store import Pool
from service.store.database import Database
from tests import trials
from tests.browser.driving import Seat
from tests.conftest import Api
from tests.flows.driving import Owner
from tests.trials import BOTH, Bench
from tests.upstream import Upstream, described, finding


@pytest.fixture
def offers() -> tuple[Offer, ...]:
    """The API knows the scripted endpoint, at $0.058 a call."""
    return (trials.offer(),)


async def test_failed_examples_are_overridden_with_a_reason_only(
    api: Api,
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    tmp_path: Path,
    seat: Seat,
) -> None:
    """The price is agreed to, what came of each example is shown, and publishing asks why."""
    bench = Bench(api, pool, where, owner, upstream, tmp_path / "rulesets")
    version = await bench.imported(BOTH)
    upstream.script = [described(findings=[finding("faces")])] * 2
    page = seat.page
    await seat.sign_in(api, "policy")
    await seat.open(f"rulesets/{trials.NAME}/{version}", tab="examples")
    await page.get_by_role("button", name="Run the examples").click()
    await expect(page.get_by_role("dialog")).to_contain_text("2 calls, at most US$0.116")
    assert upstream.calls == []
    async with bench.working():
        await page.get_by_role("button", name="Run for US$0.116").click()
        await expect(page.locator("#tabpanel")).to_contain_text("1 of 2 passed, 1 failed")
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_label("Why").press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("golden examples")
    await page.get_by_label("Why it goes live").press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_label("Why it goes live").fill("The second picture was wrong")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .page-head .mark")).to_have_text("live")
    await page.get_by_role("tab", name="Releases").click()
    await expect(page.locator("#tabpanel")).to_contain_text("examples overridden")
    seat.check(f"409 /v1/rulesets/{trials.NAME}/versions/{version}/publish")
