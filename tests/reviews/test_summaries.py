"""What the work comes to: pace, share without a look, and agreement of people and model."""

import dataclasses
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from service import ids
from service.deciding import DECISIONS
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


DAY = timedelta(days=1)
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
_DECIDED = """
    INSERT INTO decisions (id, upload_id, decision, reason, actor, bulk, decided_at, effective_at,
                           undone_at, applied_at)
    VALUES ($1, $2, $3, 'x', $4, $5, $6, $6::timestamptz + interval '5 minutes', $7, $8)
"""
_REVEALED = """
    INSERT INTO reveals (id, upload_id, person, severity, reason, at, until)
    VALUES ($1, $2, $3, 4, 'x', $4, $4)
"""
_BULK = """
    INSERT INTO bulks (id, actor, filter, decision, reason, effective_at)
    VALUES ($1, $2, '{}', 'block', 'x', now())
"""


async def decided(owner: Conn, actor: UUID, draw: random.Random) -> list[tuple[date, str]]:
    """Enter decisions of all kinds over five days; give the day and the columns each counts in."""
    bulk = ids.uuid7()
    await owner.execute(_BULK, bulk, actor)
    counted = []
    for upload in await cases(owner, *([VIOLATING] * 60)):
        decision, fate = draw.choice(DECISIONS), draw.choice(("undone", "bulk", "looked", "not"))
        # Seconds before and after midnight are days of their own.
        at = BEGIN + draw.randrange(5) * DAY + draw.choice((0, 1, 43_200, 86_399)) * DAY / 86_400
        if fate == "looked":
            await owner.execute(_REVEALED, ids.uuid7(), upload, actor, at - DAY)
        undone, applied = (at, None) if fate == "undone" else (None, at + DAY)
        in_bulk = bulk if fate == "bulk" else None
        await owner.execute(
            _DECIDED, ids.uuid7(), upload, decision, actor, in_bulk, at, undone, applied
        )
        columns: dict[str, list[str]] = {
            "bulk": ["in_bulk"],
            "looked": [decision],
            "not": [decision, "without_reveal"],
        }
        counted += [(at.date(), column) for column in columns.get(fate, [])]
    return counted


async def test_days_are_what_counting_gives(people: People, api: Api, owner: Conn) -> None:
    """Each day has what was decided on it (UTC) and not undone, and days add up to the summary."""
    one = await people.moderator("one")
    wanted = Counter(await decided(owner, one.person.id, random.Random(7)))

    for first, last in ((BEGIN, BEGIN + 5 * DAY), (BEGIN + DAY, BEGIN + 3 * DAY)):
        query = f"from={first:%Y-%m-%dT%H:%M:%SZ}&to={last:%Y-%m-%dT%H:%M:%SZ}"
        _, found, _ = await one.caller.ask("GET", f"/v1/reviews/days?{query}")
        told = {
            (date.fromisoformat(item["day"]), column): number
            for item in found["items"]
            for column, number in item.items()
            if column != "day" and number
        }
        within = {key: n for key, n in wanted.items() if first.date() <= key[0] < last.date()}
        assert told == within
        _, summary, _ = await one.caller.ask("GET", f"/v1/reviews/summary?{query}")
        for column, name in (("without_reveal", "decided_without_reveal"), ("in_bulk", "in_bulk")):
            assert sum(item[column] for item in found["items"]) == summary[name]
        assert sum(n for (_, name), n in told.items() if name in DECISIONS) == summary["decided"]
    _, none, _ = await api.admin.ask("GET", "/v1/reviews/days?to=2020-01-01T00:00:00Z")
    assert none == {"items": [], "next": None}
