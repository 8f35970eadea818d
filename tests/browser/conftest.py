"""Fixtures of the console's tests: Chromium, axe-core, and people with a page each."""

import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser import driving, install
from tests.browser.driving import Seat
from tests.conftest import Api

START_S = 30.0


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; only root can put it right where it is missing."""
    try:
        return install.chromium()
    except install.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    return install.axe()


@pytest.fixture(scope="session")
def running(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Chromium that all tests of this process share; each has its own context."""
    folder = tmp_path_factory.mktemp("chromium")
    # Root has no sandbox; the machine may have no memory to share.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--headless=new", "--no-first-run"]
    arguments += [f"--user-data-dir={folder}", "--remote-debugging-port=0"]
    log = folder / "said"
    with log.open("wb") as said:
        process = subprocess.Popen([chromium, *arguments], stderr=said)
    deadline = time.monotonic() + START_S
    while not (found := re.search(r"listening on (ws://\S+)", log.read_text("utf-8", "replace"))):
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")
        time.sleep(0.05)
    yield found[1]
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let Playwright's program, which each test starts, be compiled once; see Node's manual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_COMPILE_CACHE", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture
async def browser(running: str, compiled: None) -> AsyncIterator[Browser]:  # noqa: ARG001
    """The browser, as this test's own loop drives it."""
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(running)


@pytest.fixture
async def seat(browser: Browser, api: Api) -> AsyncIterator[Seat]:
    """A person's page, nobody signed in."""
    async with driving.seat(browser, api.url) as taken:
        yield taken


@pytest.fixture
async def colleague(api: Api) -> str:
    """The token of a second moderator."""
    order = {"role": "moderator", "name": "Kim"}
    status, made, _ = await api.admin.ask("POST", "/v1/tokens", json=order)
    assert status == 201, made
    return str(made["token"])
