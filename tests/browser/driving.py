"""A person at the console: a page of a browser, all that it asked for, and all that went wrong."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, expect

from tests.conftest import Api

expect.set_options(timeout=15_000)
# What the browser says of each answer of 400 and more; which ones there may be a test says itself.
_GO = "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')); }"
_DRAWN = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)))"
_REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of \d+")


@dataclass  # Playwright keeps its wrappers of our listeners on us, so there are no slots.
class Seat:
    """
    One person's page.

    ``requests`` are all that it made, as method and path; ``refused`` the answers of 400 and more,
    as status and path; ``errors`` what the page's console and its scripts complained of.
    """

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    pending: int = 0

    def watch(self) -> None:
        """Begin to note what the page does."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.page.on("requestfailed", self._failed)
        self.page.on("requestfinished", self._ended)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _REFUSAL.search(message.text):
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        self.pending += 1
        if request.url.startswith("blob:" + self.url):
            return
        self.requests.append(f"{request.method} {urlsplit(request.url).path}")
        if not request.url.startswith(self.url + "/"):
            self.strangers.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {urlsplit(response.url).path}")

    def _ended(self, _: Request) -> None:
        self.pending -= 1

    def _failed(self, request: Request) -> None:
        self._ended(request)
        # Whoever leaves a page gives up what it still waited for.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"{request.url}: {request.failure}")

    async def open(self, path: str = "", **query: str) -> None:
        """Open a page of the console and wait until it is shown."""
        spelt = f"?{urlencode(query)}" if query else ""
        await self.page.goto(f"{self.url}/console/{path}{spelt}")
        await self.shown()

    async def go(self, path: str) -> None:
        """Go to another page within the console, as a link in it does, until it is drawn."""
        await self.page.evaluate(_GO, f"/console/{path}")
        await self.settled()

    async def shown(self, heading: str | None = None) -> None:
        """Wait until a page is shown, this one if it is named."""
        title = self.page.locator("main h1")
        await (expect(title).to_have_text(heading) if heading else expect(title).to_be_visible())

    async def sign_in(self, api: Api, *roles: str) -> None:
        """Enter by a sign-in link with these roles."""
        tokens = {role: getattr(api, role).token for role in roles}
        await self.page.goto(f"{self.url}/console/#{urlencode(tokens)}")
        await self.shown("Queues")

    async def settled(self) -> None:
        """Wait until all that was asked for is there and drawn, and nothing more is asked for."""
        async with asyncio.timeout(15):
            quiet = 0
            while quiet < 3:
                await self.page.evaluate(_DRAWN)
                quiet = quiet + 1 if self.pending == 0 else 0

    async def wide(self) -> int:
        """Tell by how many pixels the page is wider than its window."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(await self.page.evaluate(script))

    def check(self, *refused: str) -> None:
        """Check that nothing went wrong, no stranger was asked, and only these were refused."""
        assert self.errors == []
        assert self.strangers == []
        assert sorted(set(self.refused)) == sorted(refused)


@contextlib.asynccontextmanager
async def seat(browser: Browser, url: str, **context: Any) -> AsyncIterator[Seat]:
    """Give a person a browser of their own, with a window as large as is told."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **context}
    opened = await browser.new_context(**options)
    try:
        taken = Seat(await opened.new_page(), url)
        taken.watch()
        yield taken
    finally:
        await opened.close()
