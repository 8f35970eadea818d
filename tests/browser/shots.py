"""
Takes a picture of every page, to be looked at by people: ``python -m tests.browser.shots FOLDER``.

Each page is taken on a desktop in light and dark, on a phone, and from right to left.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from service.store import Conn
from tests import draw
from tests.browser import cases, driving, stage
from tests.browser.driving import Seat
from tests.browser.stage import Stage
from tests.upstream import finding
from tests.web import ended

WINDOWS: Final[dict[str, dict[str, Any]]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
    "rtl": {"direction": "rtl"},
}
PAGES: Final = {
    "queues": "",
    "queue": "queue/held",
    "grid": "queue/held?view=grid",
    "case": "case/ID?queue=held",
    "new-queue": "queues/new?rule=contact-details",
    "settings": "queue/held/settings",
    "records": "records",
    "rulesets": "rulesets",
    "versions": "rulesets/privacy",
    "editor": "rulesets/privacy/1",
    "prompt": "rulesets/privacy/1?tab=prompt",
    "dashboard": "dashboard",
}
SUMMARIES: Final = (
    ("contact-details", 2, "A business card with an e-mail address and two phone numbers."),
    ("bystander-faces", 3, "A street with seven people; four faces can be recognised."),
    (
        "identity-and-payment-documents",
        4,
        "A photo of a desk with a bank card, its number readable.",
    ),
    ("contact-details", 1, "بطاقة عمل عليها رقم هاتف وعنوان بريد إلكتروني."),
)


async def fill(conn: Conn) -> str:
    """Put cases of all kinds into the database; give the id of one to look at."""
    ids = []
    for number in range(24):
        rule, severity, summary = SUMMARIES[number % 4]
        boxes = ([95, 110, 300, 740], [345, 110, 520, 560])
        found = [finding(rule, severity=severity, box_2d=list(box)) for box in boxes]
        picture = draw.card([(f"Card {number}", 70), ("call 555 0100", 44)], (960, 640))
        said = {"summary": summary, "alt_text": "A card, two lines covered.", "findings": found}
        case = cases.held(
            number,
            said=said,
            rules=(rule,),
            severity=severity,
            image=draw.encoded(picture, "JPEG", quality=90),
        )
        ids.append(await ended.add(conn, case))
    return str(ids[2])


async def page(seat: Seat, name: str, path: str, file: Path) -> None:
    """Take one page once it is quiet; of the case also what it becomes in use."""
    await seat.open(path)
    await seat.settled()
    await seat.page.screenshot(path=file, full_page=name not in ("editor", "case"))
    if name == "case":
        for key in ("v", "j", "?"):
            await seat.page.keyboard.press(key)
            await seat.settled()
            await seat.page.screenshot(
                path=file.with_stem(f"{file.stem}-{'guide' * (key == '?') or key}")
            )


async def run(where: Stage, folder: Path) -> None:
    """Take them all."""
    async with where.pool.acquire() as conn:
        case = await fill(conn)
    for window, options in WINDOWS.items():
        kept = json.dumps({"direction": options.get("direction", "auto")})
        context = {name: value for name, value in options.items() if name != "direction"}
        async with driving.seat(where.browser, where.api.url, **context) as seat:
            script = f"localStorage.setItem('moderation.settings', '{kept}')"
            await seat.page.add_init_script(script)
            await seat.open()
            await seat.page.screenshot(path=folder / f"{window}-signin.png")
            await seat.sign_in(where.api, "moderator", "policy", "admin")
            for name, path in PAGES.items():
                await page(seat, name, path.replace("ID", case), folder / f"{window}-{name}.png")


async def main(folder: Path) -> None:
    """Set the stage and take the pictures."""
    async with stage.opened() as where:
        await run(where, folder)


if __name__ == "__main__":
    chosen = Path(sys.argv[1])
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(chosen))
