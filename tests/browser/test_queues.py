"""Queues are made, changed and removed in the console, by those who may."""

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from service.store import Pool
from tests.browser import cases, driving
from tests.browser.driving import Seat
from tests.browser.test_accessibility import MEASURED, WINDOWS, violations
from tests.conftest import Api


async def queue(api: Api, name: str) -> dict[str, Any]:
    """Read a queue."""
    status, found, _ = await api.policy.ask("GET", f"/v1/queues/{name}")
    assert status == 200, found
    read: dict[str, Any] = found
    return read


async def add(api: Api, name: str, **settings: Any) -> None:
    """Add a queue."""
    status, made, _ = await api.policy.ask("POST", "/v1/queues", json={"name": name, **settings})
    assert status == 201, made


async def save(seat: Seat) -> None:
    """Press the button of the form."""
    await seat.page.locator("form button.main").last.click()


def labelled(seat: Seat, label: str) -> Locator:
    """Find a field of the form."""
    return seat.page.get_by_label(label, exact=True)


async def test_a_search_becomes_a_queue(api: Api, pool: Pool, seat: Seat) -> None:
    """What was searched for is its filter; all that the API takes can be chosen."""
    async with pool.acquire() as conn:
        await cases.add(conn, 3)
        await cases.add(conn, 2, rules=("card-numbers",), severity=4)
    await seat.sign_in(api, "moderator", "policy", "admin")
    moment = "2026-01-01T00:00:00.000Z"
    await seat.open("records", rule="card-numbers", min_severity="2", received_from=moment)
    await seat.page.get_by_role("link", name="Make it a queue").click()
    await seat.shown("New queue")
    await expect(labelled(seat, "Rule")).to_have_value("card-numbers")
    await labelled(seat, "Title").fill("Cards")
    await labelled(seat, "Name in addresses").fill("cards")
    await labelled(seat, "Order of the queue").select_option("oldest")
    await labelled(seat, "Decide within (minutes)").fill("1.5")
    await labelled(seat, "Cover the edited picture").select_option("3")
    await labelled(seat, "Offered").select_option("")
    await labelled(seat, "Block").check()
    await labelled(seat, "Escalate").check()
    await save(seat)

    await seat.shown("Cards")
    await expect(seat.page.locator(".cases li")).to_have_count(2)
    made = await queue(api, "cards")
    wanted = {
        "title": "Cards",
        "filter": {
            "rule": "card-numbers",
            "min_severity": 2,
            "received_from": "2026-01-01T00:00:00Z",
        },
        "order": "oldest",
        "reason_required": ["block", "escalate"],
        "blur": {"severity": 3},
        "sla_s": 90,
        "max_severity": None,
        "pending": 2,
    }
    assert made | wanted == made
    seat.check()


async def test_a_saved_view_fills_the_form(api: Api, seat: Seat) -> None:
    """Its filters and its order stand in the fields, and what was written before stays."""
    view = {"name": "Old cards", "filter": {"category": "pii", "version": 1}, "order": "oldest"}
    status, body, _ = await api.admin.ask("POST", "/v1/views", json=view | {"shared": True})
    assert status == 201, body
    await seat.sign_in(api, "moderator", "policy")
    await seat.open("queues/new", rule="faces")
    await labelled(seat, "Title").fill("From a view")
    await labelled(seat, "Fill in from a saved view").select_option("Old cards")
    await expect(labelled(seat, "Category")).to_have_value("pii")
    await expect(labelled(seat, "Rule")).to_have_value("")
    await expect(labelled(seat, "Order of the queue")).to_have_value("oldest")
    await labelled(seat, "Name in addresses").fill("from-a-view")
    await save(seat)
    await seat.shown("From a view")
    made = await queue(api, "from-a-view")
    assert (made["filter"], made["order"]) == (view["filter"], "oldest")
    seat.check()


async def test_settings_are_changed(api: Api, seat: Seat) -> None:
    """Fields show what holds; what is not touched stays, what is emptied is taken back."""
    settings = {
        "title": "Faces",
        "filter": {"rule": "faces", "where": "$.findings"},
        "reason_required": ["allow"],
        "blur": "none",
        "sla_s": 3600,
        "max_severity": 2,
    }
    await add(api, "faces", **settings)
    before = await queue(api, "faces")
    await seat.sign_in(api, "policy")
    await seat.page.get_by_role("link", name="Settings of Faces").click()
    await seat.shown("Settings of Faces")
    await save(seat)
    await seat.shown("Faces")
    assert await queue(api, "faces") == before
    await seat.open("queue/faces/settings")
    await labelled(seat, "Decide within (minutes)").fill("")
    await labelled(seat, "Rule").fill("")
    await labelled(seat, "Allow").uncheck()
    await save(seat)
    await seat.shown("Faces")
    changed: dict[str, Any] = {
        "filter": {"where": "$.findings"},
        "reason_required": [],
        "sla_s": None,
    }
    assert await queue(api, "faces") == before | changed
    seat.check()


async def test_a_stale_change_is_told_and_changes_nothing(api: Api, seat: Seat) -> None:
    """Whoever was slower learns so, keeps what was written, and succeeds after a reload."""
    await add(api, "faces", title="Faces")
    await seat.sign_in(api, "admin")
    await seat.open("queue/faces/settings")
    await api.policy.ask("PATCH", "/v1/queues/faces", json={"title": "Theirs"})
    await labelled(seat, "Title").fill("Mine")
    await save(seat)
    await expect(seat.page.get_by_role("alert")).to_contain_text("Somebody changed this queue")
    await expect(labelled(seat, "Title")).to_have_value("Mine")
    assert (await queue(api, "faces"))["title"] == "Theirs"
    await seat.page.reload()
    await seat.shown("Settings of Theirs")
    await labelled(seat, "Title").fill("Mine")
    await save(seat)
    await seat.shown("Mine")
    seat.check("412 /v1/queues/faces")


# Which field is filled how, and what is said under it.
WRONG = {
    "a name that is taken": ({"Name in addresses": "held"}, "Name in addresses", "already"),
    "a path that is none": (
        {"JSON path over the description": "$.findings["},
        "JSON path over the description",
        "syntax error",
    ),
    "a title of blanks": ({"Title": "  "}, "Title", "at least 1 character"),
    "a time that is none": (
        {"Decide within (minutes)": "0"},
        "Decide within (minutes)",
        "equal to 1",
    ),
    "a digest that is none": ({"SHA-256 of the file": "abc"}, "SHA-256 of the file", "pattern"),
}
GOOD = {"Title": "Good", "Name in addresses": "good"}
NONE = {label: "" for _, label, _ in WRONG.values()}


async def test_what_is_refused_is_told_at_its_field(api: Api, seat: Seat) -> None:
    """The field says what is wrong and has the focus; put right, it is said no longer and kept."""
    await seat.sign_in(api, "policy")
    await seat.go("queues/new")
    await seat.page.get_by_text("More filters").click()
    for case, (values, label, said) in WRONG.items():
        for name, value in (NONE | GOOD | values).items():
            await labelled(seat, name).fill(value)
        await save(seat)
        wrong = labelled(seat, label)
        await expect(wrong).to_be_focused()
        await expect(seat.page.locator(".fault")).to_have_count(1)
        await expect(wrong).to_have_attribute("aria-invalid", "true")
        described = str(await wrong.get_attribute("aria-describedby")).split(" ")[-1]
        await expect(seat.page.locator(f"#{described}")).to_contain_text(said)
        await expect(seat.page.get_by_role("alert")).to_be_visible()
        _, listed, _ = await api.policy.ask("GET", "/v1/queues")
        assert (case, [one["name"] for one in listed["items"]]) == (case, ["held"])
    await labelled(seat, "SHA-256 of the file").fill("")
    await save(seat)
    await seat.shown("Good")
    seat.check("400 /v1/queues", "409 /v1/queues", "422 /v1/queues")


async def test_a_queue_is_removed_after_asking(api: Api, seat: Seat) -> None:
    """Escape keeps it, the button removes it; the one that is always there cannot be removed."""
    await add(api, "faces", title="Faces")
    await seat.sign_in(api, "policy")
    await seat.open("queue/held/settings")
    button = seat.page.get_by_role("button", name="Remove this queue")
    await expect(button).to_have_count(0)
    await seat.open("queue/faces/settings")
    await button.click()
    await seat.page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    assert (await queue(api, "faces"))["title"] == "Faces"
    await button.click()
    await seat.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await seat.shown("Queues")
    await expect(seat.page.locator(".cards li")).to_have_count(1)
    assert (await api.policy.ask("GET", "/v1/queues/faces"))[0] == 404
    seat.check()


async def test_who_may_not_is_offered_nothing(api: Api, seat: Seat) -> None:
    """A moderator sees no way to make or change a queue, and is refused at its address."""
    await seat.sign_in(api, "moderator")
    await seat.settled()
    for name in ("New queue", "Settings of Held for a person"):
        await expect(seat.page.get_by_role("link", name=name)).to_have_count(0)
    await seat.open("records")
    await expect(seat.page.get_by_role("link", name="Make it a queue")).to_have_count(0)
    await seat.open("queues/new")
    for name, value in GOOD.items():
        await labelled(seat, name).fill(value)
    await save(seat)
    await expect(seat.page.get_by_role("alert")).to_contain_text("may do this")
    assert not any(one.startswith("POST") for one in seat.requests)
    seat.check()


async def test_live_counts_leave_the_focus_where_it_is(api: Api, pool: Pool, seat: Seat) -> None:
    """Numbers are read anew while somebody goes through the links; a new queue appears too."""
    await seat.page.clock.install()
    await seat.sign_in(api, "moderator", "policy")
    settings = seat.page.get_by_role("link", name="Settings of Held for a person")
    await settings.focus()
    async with pool.acquire() as conn:
        await cases.add(conn, 2)
    await seat.page.clock.run_for(11_000)
    await expect(seat.page.locator(".facts dd").first).to_have_text("2")
    await expect(settings).to_be_focused()
    await add(api, "faces", title="Faces", sla_s=1)
    await seat.page.clock.run_for(11_000)
    await expect(seat.page.get_by_role("link", name="Settings of Faces")).to_be_visible()
    await expect(seat.page.locator(".cards li").first).to_contain_text("late")
    seat.check()


async def test_a_queue_is_made_by_keyboard_alone(api: Api, seat: Seat) -> None:
    """From the heading Tab comes to each field in the order in which they are read."""
    await seat.sign_in(api, "policy")
    await seat.go("queues/new")
    keys = seat.page.keyboard
    for text in ("By keys", "by-keys", "a phone number"):
        await keys.press("Tab")
        await keys.type(text)
    await keys.press("Enter")
    await seat.shown("By keys")
    assert (await queue(api, "by-keys"))["filter"] == {"text": "a phone number"}
    seat.check()


@pytest.mark.parametrize("window", MEASURED)
async def test_the_form_has_no_violation(api: Api, browser: Browser, axe: str, window: str) -> None:
    """Neither with everything open and faults told, nor behind the question before a removal."""
    await add(api, "faces", title="Faces")
    async with driving.seat(browser, api.url, **WINDOWS[window]) as seat:
        await seat.sign_in(api, "moderator", "policy", "admin")
        await seat.open("queue/faces/settings")
        await seat.page.get_by_text("More filters").click()
        await labelled(seat, "Title").fill("  ")
        await labelled(seat, "SHA-256 of the file").fill("abc")
        await save(seat)
        await expect(seat.page.locator(".fault")).to_have_count(2)
        assert await violations(seat, axe) == []
        assert await seat.wide() == 0
        await seat.page.get_by_role("button", name="Remove this queue").click()
        await expect(seat.page.get_by_role("dialog")).to_be_visible()
        assert await violations(seat, axe) == []
        seat.check("422 /v1/queues/faces")
