"""Getting in, and what is never let out."""

import pytest
from playwright.async_api import Dialog, expect

from tests.browser.driving import Seat
from tests.conftest import Api


async def test_a_sign_in_link_signs_in_and_leaves_the_address(api: Api, seat: Seat) -> None:
    """The token leaves the address at once, and is sent in no address."""
    await seat.sign_in(api, "moderator")

    assert seat.page.url == f"{api.url}/console/"
    await expect(seat.page.locator("#person")).to_have_text("moderator")
    assert not any(api.moderator.token in one for one in seat.requests)
    seat.check()


async def test_a_token_signs_in_and_signing_out_forgets_it(api: Api, seat: Seat) -> None:
    """Typed with blanks around it, it is taken; signed out, nothing of it is left in the tab."""
    await seat.open("records")
    await seat.shown("Sign in")
    await seat.page.get_by_label("Token").fill(f" {api.moderator.token} ")
    await seat.page.keyboard.press("Enter")
    await seat.shown("Records")
    await seat.settled()
    await seat.page.get_by_role("button", name="Sign out").click()
    await seat.shown("Sign in")
    assert await seat.page.evaluate("sessionStorage.length") == 0
    seat.check()


@pytest.mark.parametrize(
    ("role", "said"), [("platform", "is for programs"), (None, "unknown or was revoked")]
)
async def test_a_token_that_does_not_fit_is_told(
    api: Api, seat: Seat, role: str | None, said: str
) -> None:
    """Neither a platform's token nor a wrong one gets in, typed or by a link."""
    token = "mod_moderator_" + "x" * 43 if role is None else getattr(api, role).token
    await seat.page.goto(f"{api.url}/console/#token={token}")
    await expect(seat.page.get_by_role("alert").first).to_contain_text(said)
    await seat.page.get_by_label("Token").fill(token)
    await seat.page.keyboard.press("Enter")
    await expect(seat.page.get_by_role("alert").last).to_contain_text(said)
    assert await seat.page.evaluate("sessionStorage.length") == 0
    seat.check(*([] if role else ["401 /v1/me"]))


@pytest.mark.parametrize("agreed", [True, False])
async def test_a_second_link_takes_over_only_if_that_is_agreed_to(
    api: Api, seat: Seat, colleague: str, *, agreed: bool
) -> None:
    """A link that somebody sent does not make one work in another's name unawares."""
    await seat.sign_in(api, "moderator")
    asked: list[str] = []

    async def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await (dialog.accept() if agreed else dialog.dismiss())

    seat.page.on("dialog", answer)
    await seat.page.goto(f"{api.url}/console/#token={colleague}")
    await seat.shown("Queues")
    await expect(seat.page.locator("#person")).to_have_text(
        "Kim (moderator)" if agreed else "moderator"
    )
    assert len(asked) == 1
    assert colleague not in seat.page.url
    seat.check()
