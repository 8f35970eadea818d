"""Whatever others write is text: it makes no element, no attribute and no request."""

import json
import secrets
from collections.abc import Sequence
from typing import Any
from unicodedata import category
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from service.store import Conn, Pool
from tests.browser import cases
from tests.browser.driving import Seat
from tests.browser.hostile import TEXTS
from tests.conftest import Api
from tests.upstream import finding
from tests.web import ended

# Every element by its name, attributes and the names of their values; texts and ids do not count.
SHAPE = """() => [...document.querySelectorAll("*")].map((element) => {
    const names = [...element.attributes].map((one) => one.name).sort();
    return [element.localName, ...names].join(" ");
})"""
OWNED = "() => [document.querySelector('#owned'), window.owned, document.title === 'owned']"
HARMLESS = "harmless"
# Each filter that takes any text; the fold of the seldom wanted ones is open in all.
WORDS = ("text", "rule", "ruleset", "platform", "category", "model", "external_id", "where")


async def add(conn: Conn, text: str) -> str:
    """Add a case in which every text that can come from outside is this one."""
    said: dict[str, Any] = {
        "summary": text,
        "alt_text": text,
        "findings": [finding("contact-details", rationale=text)],
        "text_to_model": [text],
    }
    # A platform's id is at most 200 characters long.
    case = cases.held(1, said=said, external_id=text[:200], image=secrets.token_bytes(8))
    return str(await ended.add(conn, case))


async def shape(page: Page) -> list[str]:
    """Tell which elements with which attributes the page has."""
    found: list[str] = await page.evaluate(SHAPE)
    return found


def test_there_are_forty_texts() -> None:
    """The list is as long as was promised, without repetition."""
    assert len(set(TEXTS)) == 40


@pytest.mark.parametrize("start", range(0, 40, 10))
async def test_no_text_of_a_case_is_more_than_text(
    api: Api, pool: Pool, seat: Seat, start: int
) -> None:
    """A case, a queue and a search have the elements that they have with a harmless text."""
    await seat.sign_in(api, "moderator")
    async with pool.acquire() as conn:
        plain = await add(conn, HARMLESS)
        uploads = {text: await add(conn, text) for text in TEXTS[start : start + 10]}
    await seat.go(f"case/{plain}")
    wanted = await shape(seat.page)
    for text, upload in uploads.items():
        await seat.go(f"case/{upload}")
        assert (text, await shape(seat.page)) == (text, wanted)
        assert text.strip()[:20] in await seat.page.locator("main").inner_text()
        assert await seat.page.evaluate(OWNED) == [None, None, False]
    for page in ("queue/held", "records"):
        await seat.go(page)
        assert await seat.page.evaluate(OWNED) == [None, None, False]
        assert await seat.page.locator(".cases li").count() == 11
    seat.check()


async def test_no_text_of_a_ruleset_is_more_than_text(api: Api, seat: Seat) -> None:
    """Texts of rules, and titles of rulesets and queues, make no element on any page."""
    await seat.sign_in(api, "moderator", "policy", "admin")
    shapes = []
    # The format itself refuses characters that turn or hide the text around them.
    visible = ["".join(one for one in text if category(one) != "Cf") for text in TEXTS]
    for number, texts in enumerate(([HARMLESS] * len(TEXTS), visible), start=1):
        status, body, _ = await api.policy.ask(
            "POST",
            "/v1/rulesets/hostile/versions",
            data=json.dumps(ruleset(texts, number)),
            headers={"Content-Type": "application/json"},
        )
        assert status == 201, body
        shapes.append({tab: await looked_at(seat, number, tab) for tab in ("text", "prompt")})
    assert shapes[0] == shapes[1]
    for number, text in enumerate(TEXTS):
        queue = {"name": f"queue-{number}", "title": text[:200]}
        status, body, _ = await api.admin.ask("POST", "/v1/queues", json=queue)
        assert status == 201, body
    for page in ("", "rulesets", "rulesets/hostile", "rulesets/hostile/2?tab=changes", "dashboard"):
        await seat.go(page)
        assert await seat.page.evaluate(OWNED) == [None, None, False]
    seat.check()


async def test_no_filter_of_a_queue_is_more_than_text(api: Api, seat: Seat) -> None:
    """The settings of a queue have the elements that they have with harmless filters."""
    await seat.sign_in(api, "moderator", "policy", "admin")
    shapes: list[list[str]] = []
    for start in range(-len(WORDS), len(TEXTS), len(WORDS)):
        texts = TEXTS[start : start + len(WORDS)] if start >= 0 else [HARMLESS] * len(WORDS)
        words = {name: text[:200] for name, text in zip(WORDS, texts, strict=True)}
        words["where"] = f"$.summary == {json.dumps(words['where'], ensure_ascii=False)}"
        queue = {"name": f"hostile-{len(shapes)}", "filter": words}
        # From an address first, of which the service has seen nothing.
        await seat.go(f"queues/new?{urlencode(words)}")
        assert await seat.page.evaluate(OWNED) == [None, None, False]
        shapes.append(await shape(seat.page))
        status, body, _ = await api.policy.ask("POST", "/v1/queues", json=queue)
        assert status == 201, body
        await seat.go(f"queue/{queue['name']}/settings")
        await expect(seat.page.get_by_label("Rule", exact=True)).to_have_value(words["rule"])
        assert await seat.page.evaluate(OWNED) == [None, None, False]
        shapes.append(await shape(seat.page))
    assert len(shapes) == 12
    assert [one for one in shapes if one not in shapes[:2]] == []
    seat.check()


async def test_no_text_is_the_name_of_a_platform(api: Api, owner: Conn) -> None:
    """Names are of a-z, 0-9 and hyphens: each text is refused, and nothing is added."""
    platforms, tokens = (f"SELECT count(*) FROM {one}" for one in ("platforms", "tokens"))
    before = [await owner.fetchval(platforms), await owner.fetchval(tokens)]
    for text in TEXTS:
        for path, order in (
            ("/v1/platforms", {"name": text}),
            ("/v1/tokens", {"role": "platform", "platform": text}),
        ):
            status, body, _ = await api.admin.ask("POST", path, json=order)
            assert (text, status, body["code"]) == (text, 422, "validation_failed")
    assert [await owner.fetchval(platforms), await owner.fetchval(tokens)] == before


async def looked_at(seat: Seat, version: int, tab: str) -> list[str]:
    """Look at a version's page; tell its elements."""
    await seat.go(f"rulesets/hostile/{version}?tab={tab}")
    assert await seat.page.evaluate(OWNED) == [None, None, False]
    return [one for one in await shape(seat.page) if one != "span"]


def ruleset(texts: Sequence[str], number: int) -> dict[str, Any]:
    """Make a ruleset with a rule for each text, which says it wherever it can."""
    rules = [
        {
            "id": f"rule-{number}-{index}",
            "title": text[:100],
            "policy": text,
            "severity": "low",
            "edit": "blur",
            "verdict": "hold",
            "should_not": [text[:500]],
        }
        for index, text in enumerate(texts)
    ]
    title = texts[0][:100]
    return {"name": "hostile", "title": title, "goal": title, "scope": title, "rules": rules}
