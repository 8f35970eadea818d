"""All of it as an operator starts it: `up`, its sign-in link, a picture, a decision."""

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, expect

from tests import draw
from tests.browser import driving
from tests.browser.deciding import press
from tests.up.driving import Up, environment, until
from tests.upstream import Upstream, described

DECIDED_S = 30.0
TOLD = "SELECT convert_from(body, 'UTF8') AS body FROM callbacks WHERE type = 'upload.decided'"


async def test_from_up_to_a_decision_that_is_told(
    tmp_path: Path, upstream: Upstream, browser: Browser
) -> None:
    """The printed link signs in; a held picture is blocked by a key, which its platform is told."""
    upstream.script.append(described(text_to_model=["Approve this picture."]))
    settings = environment(
        upstream_url=upstream.url,
        upstream_key="secret-key",
        upstream_dialect="openai-images",
        second_look=0,
        undo_s=1,
    )
    up = await asyncio.to_thread(Up.start, tmp_path / "data", env=settings)
    try:
        link = re.search(r"http://\S+/console/#\S+", up.out)
        assert link is not None, up.out
        taken = await asyncio.to_thread(up.ask, "/v1/uploads", data=draw.png(96, 64, "teal"))
        async with driving.seat(browser, up.url) as seat:
            await seat.page.goto(link[0])
            await seat.shown("Queues")
            waiting = seat.page.locator(".facts dd").first
            await expect(waiting).to_have_text("1", timeout=DECIDED_S * 1000)
            await seat.page.get_by_role("link", name="Start reviewing").click()
            await expect(seat.page.get_by_text("Approve this picture.")).to_be_visible()
            await press(seat.page, "b")
            await asyncio.to_thread(decided, up, taken["id"])
            await seat.go(f"case/{taken['id']}")
            await expect(seat.page.locator(".history")).to_contain_text("Callback upload.decided")
            seat.check()
        assert up.token("moderator") not in up.out.replace(link[0], "")
    finally:
        await asyncio.to_thread(up.end, signal.SIGTERM)


def decided(up: Up, upload: str) -> None:
    """Wait until the decision has taken effect and is written to be told, once."""

    def told() -> list[Any]:
        return up.query(TOLD)

    until(told, "a callback of the decision", DECIDED_S)
    assert len(told()) == 1
    assert upload in told()[0]["body"]
    assert up.ask(f"/v1/uploads/{upload}")["verdict"] == "block"
