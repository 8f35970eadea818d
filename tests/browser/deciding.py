"""Deciding by keyboard, and what the database knows of it."""

from uuid import UUID

from playwright.async_api import Page

from service.store import Conn

# Another address, which is not the one that only asks for the next case, with its page.
ARRIVED = """before => {
    const shown = document.querySelector("main h1")?.textContent;
    const asking = location.pathname.endsWith("/case") && shown !== "Nothing waits";
    return location.href !== before && !asking && document.activeElement?.localName === "h1";
}"""


async def decisions(conn: Conn) -> dict[UUID, str]:
    """Read every decision that was not taken back, by its upload."""
    rows = await conn.fetch("SELECT upload_id, decision FROM decisions WHERE undone_at IS NULL")
    return {row["upload_id"]: row["decision"] for row in rows}


async def told(conn: Conn) -> int:
    """Count the callbacks that tell of decisions."""
    query = "SELECT count(*) FROM callbacks WHERE type = 'upload.decided'"
    return int(await conn.fetchval(query))


async def press(page: Page, key: str) -> None:
    """Decide the case that is shown by a key, and wait until another page is shown."""
    before = page.url
    await page.keyboard.press(key)
    await page.wait_for_function(ARRIVED, arg=before)
