"""
How long people wait for the console, with 1,000 cases on loopback.

Run by hand: ``python -m tests.benchmarks.console``.  It prints, in milliseconds, how long after an
empty browser opens a queue its first page can be used, and how long after a decision's key the
next case is shown; the aims are 1,000 and 150.
"""

import asyncio
import statistics
from typing import Any, Final

import click
from playwright.async_api import Page

from tests.browser import cases, driving, stage
from tests.browser.stage import Stage

CASES: Final = 1_000
PAGES: Final = 10
DECISIONS: Final = 100
# The list with its first pictures; a key at that moment already does what it says.
USABLE: Final = """() => {
    const drawn = document.querySelectorAll(".cases.list li").length === 24;
    const seen = document.querySelector("lazy-thumb img")?.complete;
    return drawn && seen ? performance.now() : false;
}"""
# From the key to the frame in which another case stands, its edited picture decoded.
DECIDE: Final = """key => new Promise(done => {
    const begun = performance.now();
    const before = location.href;
    const shown = () => {
        const image = document.querySelector("case-viewer img");
        const there = location.href !== before && image?.complete && image.naturalWidth > 0;
        if (there) done(performance.now() - begun);
        else requestAnimationFrame(shown);
    };
    document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    requestAnimationFrame(shown);
})"""


async def first_page(where: Stage) -> float:
    """Open a queue in a browser that has seen nothing yet."""
    async with driving.seat(where.browser, where.api.url) as seat:
        token = where.api.moderator.token
        await seat.page.goto(f"{where.api.url}/console/queue/held#moderator={token}")
        usable = await seat.page.wait_for_function(USABLE)
        return float(await usable.json_value())


async def pace(page: Page) -> list[float]:
    """Decide case after case, each after the moment in which a person would read it."""
    waits = []
    for _ in range(DECISIONS):
        await asyncio.sleep(0.3)
        waits.append(float(await page.evaluate(DECIDE, "b")))
    return waits


def line(name: str, waits: list[float], aim: int) -> str:
    """Spell what was measured."""
    ordered = sorted(waits)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    median = statistics.median(ordered)
    return f"{name:32} median {median:6.0f}   p95 {p95:6.0f}   most {ordered[-1]:6.0f}   aim {aim}"


async def run() -> list[str]:
    """Measure both."""
    async with stage.opened() as where:
        async with where.pool.acquire() as conn:
            await cases.add(conn, CASES)
        firsts = [await first_page(where) for _ in range(PAGES)]
        async with driving.seat(where.browser, where.api.url) as seat:
            await seat.sign_in(where.api, "moderator")
            await seat.open("case", queue="held")
            waits = await pace(seat.page)
            seat.check()
    return [
        line("first queue page usable, ms", firsts, 1_000),
        line("next case after a decision, ms", waits, 150),
    ]


@click.command()
def main(**_: Any) -> None:
    """Print what was measured."""
    for measured in asyncio.run(run()):
        click.echo(measured)


if __name__ == "__main__":
    main()
