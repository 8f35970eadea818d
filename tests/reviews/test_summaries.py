"""What the work comes to: pace, share without a look, and agreement of people and model."""

import dataclasses

from service.store import Conn, Pool
from tests.conftest import Api
from tests.reviews.people import FAILED, VIOLATING, People, apply, cases
from tests.web.ended import Ended

FACES = Ended("violating", "hold", rules=("bystander-faces", "weapons"), severity=2)
NOTHING = Ended("clean", "hold")


async def test_the_summary_counts_by_person(people: People, owner: Conn) -> None:
    """Undone and bulk decisions stand apart; the share is of those decided one by one."""
    one, two = await people.moderator("one"), await people.moderator("two")
    older_first = [dataclasses.replace(VIOLATING, day=day) for day in range(4)]
    uploads = await cases(owner, *older_first, FAILED)
    await one.next()
    await one.post(f"{uploads[0]}/reveal", reason="x")
    await one.decide(uploads[0], "block")
    await one.decide(uploads[1], "block")
    await two.decide(uploads[2], "block")
    await two.undo(uploads[2])
    await two.post(f"{uploads[2]}/skip")
    await two.post("bulk", decision="block", reason="x", expected=3)

    _, summary, _ = await one.caller.ask("GET", "/v1/reviews/summary")

    by_name = {person["person"]["name"]: person for person in summary["people"]}
    assert (summary["decided"], summary["decided_without_reveal"]) == (2, 1)
    assert (summary["in_bulk"], summary["undone"]) == (3, 1)
    assert by_name["one"]["without_reveal_share"] == 0.5
    assert 0 <= by_name["one"]["median_s"] < 60
    assert (by_name["two"]["decided"], by_name["two"]["without_reveal_share"]) == (0, None)
    _, none, _ = await one.caller.ask("GET", "/v1/reviews/summary?to=2020-01-01T00:00:00Z")
    assert (none["decided"], none["people"]) == (0, [])


async def test_agreement_is_counted_by_rule_and_version(
    people: People, api: Api, owner: Conn, pool: Pool
) -> None:
    """To allow the image overturns each rule found; to block what has no finding does so too."""
    one = await people.moderator("one")
    decided = [
        (VIOLATING, "block"),
        (VIOLATING, "allow"),
        (FACES, "allow_edited"),
        (FACES, "allow"),
        (FACES, "escalate"),
        (NOTHING, "allow"),
        (NOTHING, "block"),
        (FAILED, "block"),
    ]
    for kind, decision in decided:
        (upload,) = await cases(owner, kind)
        await one.decide(upload, decision)
    await apply(owner, pool)

    _, found, _ = await api.policy.ask("GET", "/v1/reviews/agreement?ruleset=privacy&version=1")

    counts = {item["rule"]: (item["upheld"], item["overturned"]) for item in found["items"]}
    assert counts == {"bystander-faces": (1, 1), "weapons": (2, 2), None: (1, 1)}
    assert (await api.policy.ask("GET", "/v1/reviews/agreement?ruleset=x"))[1]["items"] == []
