"""Looks at originals: behind a reason, each counted before it happens, bounded by the day."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from service import revealing
from service.reviewing import Terms
from service.store import Conn, Pool
from service.store.database import Database
from tests.conftest import Api
from tests.flows import processes
from tests.reviews.people import HELD, VIOLATING, Moderator, People, cases
from tests.web import sending
from tests.web.ended import Ended
from tests.web.sending import until

LARGE = 40 << 20
BUDGETS = "/v1/exposure-budgets"


async def look(who: Moderator, upload: UUID, name: str = "original", **headers: str) -> Any:
    """Ask for a picture."""
    return await who.caller.ask("GET", f"/v1/uploads/{upload}/images/{name}", headers=headers)


async def served(owner: Conn) -> int:
    """Count exposure rows."""
    return int(await owner.fetchval("SELECT count(*) FROM exposures"))


async def bound(api: Api, budgets: Mapping[int, int | None]) -> dict[int, int | None]:
    """Set daily budgets by severity; give all that there are."""
    items = [{"severity": severity, "per_day": number} for severity, number in budgets.items()]
    status, body, _ = await api.admin.ask("PATCH", BUDGETS, json={"items": items})
    assert status == 200, body
    return {one["severity"]: one["per_day"] for one in body["items"]}


async def test_an_original_opens_to_who_says_why(people: People, owner: Conn) -> None:
    """Not before, not to others; each time it is served there is one row, for a 304 none."""
    one, two = await people.moderator("one"), await people.moderator("two")
    (upload,) = await cases(owner, VIOLATING)
    sending.check_problem(await look(one, upload), 403, "reveal_required")
    status, opened = await one.post(f"{upload}/reveal", reason="is it a toy?")
    assert status == 201, opened

    first, second = await look(one, upload), await look(one, upload)
    known = await look(one, upload, **{"If-None-Match": first[2]["ETag"]})

    assert [first[0], second[0], known[0]] == [200, 200, 304]
    assert first[1] == VIOLATING.image
    assert first[2]["Cache-Control"] == "no-store"
    sending.check_problem(await look(two, upload), 403, "reveal_required")
    assert await served(owner) == 2
    review = await one.review(upload)
    assert (review["reveals"], review["revealed_until"] is not None) == (1, True)
    (entry,) = await owner.fetch("SELECT actor, detail FROM audit WHERE action = 'reveal.open'")
    assert (entry["actor"], entry["detail"]["reason"]) == (one.person.actor, "is it a toy?")


async def test_a_decision_needs_no_original(people: People, owner: Conn) -> None:
    """The edited image and the description are open to a moderator and count as no exposure."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    case = (await one.next())["case"]
    assert case["description"]["findings"]
    for name in ("edited", "thumbnail"):
        assert (await look(one, upload, name))[0] == 200
    await one.decide(upload, "block")

    assert await served(owner) == 0
    _, summary, _ = await one.caller.ask("GET", "/v1/reviews/summary")
    assert (summary["decided"], summary["without_reveal_share"]) == (1, 1.0)


async def test_an_open_original_closes(people: People, owner: Conn, pool: Pool) -> None:
    """After its time it is asked for again; opening what is open spends nothing."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    async with pool.acquire() as conn:
        again = [
            await revealing.reveal(conn, one.person, upload, "x", timedelta(seconds=1))
            for _ in range(2)
        ]
    assert again[0] == again[1]

    async def closed() -> bool:
        return bool((await look(one, upload))[0] == 403)

    await until(closed)
    assert await owner.fetchval("SELECT count(*) FROM reveals") == 1


async def test_the_budget_of_a_severity_is_refused_kindly(
    api: Api, people: People, owner: Conn
) -> None:
    """What is spent is told before; the refusal says what is left to do; others are not bound."""
    await bound(api, {4: 2})
    one, two = await people.moderator("one"), await people.moderator("two")
    first, second, third = await cases(owner, *([VIOLATING] * 3))
    (milder,) = await cases(owner, HELD)
    await one.post(f"{first}/reveal", reason="x")
    await look(one, first)
    await one.post(f"{second}/reveal", reason="x")

    status, problem = await one.post(f"{third}/reveal", reason="x")

    assert (status, problem["code"]) == (403, "exposure_budget_spent")
    assert "hand the case over" in problem["detail"]
    assert (await look(one, second))[0] == 200
    sending.check_problem(await look(one, second), 403, "exposure_budget_spent")
    assert (await one.post(f"{milder}/reveal", reason="x"))[0] == 201
    assert (await two.post(f"{third}/reveal", reason="x"))[0] == 201
    _, today, _ = await one.caller.ask("GET", "/v1/me/exposure")
    assert today["items"][4] == {"severity": 4, "spent": 2, "per_day": 2, "left": 0}
    assert today["items"][3] == {"severity": 3, "spent": 1, "per_day": 50, "left": 49}
    assert await served(owner) == 2


async def test_looks_at_once_spend_no_more_than_there_is(
    api: Api, people: People, owner: Conn
) -> None:
    """Of ten requests for the last look that is left one is served."""
    await bound(api, {4: 1})
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.post(f"{upload}/reveal", reason="x")

    answers = await asyncio.gather(*(look(one, upload) for _ in range(10)))

    assert sorted(status for status, _, _ in answers) == [200] + [403] * 9
    assert await served(owner) == 1


async def test_budgets_are_set_by_administrators(api: Api, people: People, owner: Conn) -> None:
    """What is not named stays, null takes a limit away, each change holds at once."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    assert await bound(api, {4: 0}) == {0: None, 1: None, 2: None, 3: 50, 4: 0}
    status, problem = await one.post(f"{upload}/reveal", reason="x")
    assert (status, problem["code"]) == (403, "exposure_budget_spent")
    assert await bound(api, {4: None, 0: 7}) == {0: 7, 1: None, 2: None, 3: 50, 4: None}
    assert (await one.post(f"{upload}/reveal", reason="x"))[0] == 201

    _, told, _ = await api.admin.ask("GET", BUDGETS)
    _, today, _ = await one.caller.ask("GET", "/v1/me/exposure")
    kept = [(item["severity"], item["per_day"]) for item in told["items"]]
    assert kept == [(item["severity"], item["per_day"]) for item in today["items"]]
    rows = await owner.fetch(
        "SELECT subject, detail FROM audit WHERE action = 'exposure_budget.set'"
        " AND actor LIKE 'token:%' ORDER BY id"
    )
    entries = [(row["subject"], row["detail"]["per_day"]) for row in rows]
    assert entries == [("4", 0), ("0", 7), ("4", None)]
    for role in (api.platform, api.moderator, api.policy):
        answer = await role.ask("PATCH", BUDGETS, json={"items": []})
        sending.check_problem(answer, 403, "role_not_allowed")


BAD_BUDGETS: list[tuple[Any, str]] = [
    ({}, "items: Field required"),
    ({"items": []}, "at least 1 item"),
    ({"items": [{"severity": 5, "per_day": 1}]}, "less than or equal to 4"),
    ({"items": [{"severity": -1, "per_day": 1}]}, "greater than or equal to 0"),
    ({"items": [{"severity": 4, "per_day": -1}]}, "greater than or equal to 0"),
    ({"items": [{"severity": 4, "per_day": 2**31}]}, "less than 2147483648"),
    ({"items": [{"severity": 4, "per_day": "9"}]}, "valid integer"),
    ({"items": [{"severity": 4, "per_day": 1.5}]}, "valid integer"),
    ({"items": [{"severity": "high", "per_day": 1}]}, "valid integer"),
    ({"items": [{"severity": 4}]}, "per_day: Field required"),
    ({"items": [{"severity": 4, "per_day": 1, "who": "x"}]}, "who: Extra inputs"),
    ({"items": [{"severity": 4, "per_day": 1}, {"severity": 4, "per_day": 2}]}, "named once"),
]


async def test_a_bad_budget_is_refused_and_changes_nothing(api: Api, owner: Conn) -> None:
    """The refusal names the field and what is allowed."""
    before = await api.admin.ask("GET", BUDGETS)
    for body, said in BAD_BUDGETS:
        answer = await api.admin.ask("PATCH", BUDGETS, json=body)
        sending.check_problem(answer, 422, "validation_failed", str(body))
        assert said in answer[1]["detail"], answer[1]
    assert (await api.admin.ask("GET", BUDGETS))[1] == before[1]
    assert await owner.fetchval("SELECT count(*) FROM audit WHERE action LIKE 'exposure%'") == 0


async def test_administrators_at_once_do_not_wait_in_a_circle(api: Api) -> None:
    """However they order what they set, all are answered, and one of them stands whole."""
    orders = [
        dict.fromkeys(sorted(range(5), reverse=bool(number % 2)), number) for number in range(1, 11)
    ]

    await asyncio.gather(*(bound(api, one) for one in orders))

    _, told, _ = await api.admin.ask("GET", BUDGETS)
    assert len({one["per_day"] for one in told["items"]}) == 1


async def test_a_reveal_without_a_reason_is_refused(people: People, owner: Conn) -> None:
    """And so is one of a picture that nobody could decode."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    for body in ({}, {"reason": ""}, {"reason": " \n"}, {"reason": "a\0b"}):
        status, problem = await one.post(f"{upload}/reveal", **body)
        assert (status, problem["code"]) == (422, "validation_failed"), body
    (broken,) = await cases(owner, Ended("unreadable", state="failed"))
    await owner.execute("UPDATE uploads SET canonical_sha256 = NULL WHERE id = $1", broken)
    status, problem = await one.post(f"{broken}/reveal", reason="x")
    assert (status, problem["code"]) == (422, "no_original")


async def test_killed_between_row_and_bytes_there_is_a_row_more_never_one_less(
    people: People, owner: Conn, where: Database
) -> None:
    """
    The picture is larger than any buffer between, and nobody reads it before the kill.

    So the row is there while the bytes cannot have arrived.
    """
    one = await people.moderator("one")
    (upload,) = await cases(owner, dataclasses.replace(VIOLATING, image=bytes(LARGE)))
    await one.post(f"{upload}/reveal", reason="x")
    line = f"GET /v1/uploads/{upload}/images/original".encode()
    async with (
        processes.serve(where) as (process, url),
        sending.connected(url) as (reader, writer),
    ):
        writer.write(sending.request_bytes(one.caller, line))

        async def entered() -> bool:
            return await served(owner) == 1

        await until(entered)
        process.kill()
        await process.wait()
        got = 0
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(1 << 20):
                got += len(part)
    assert got < LARGE
    assert await served(owner) == 1


async def test_people_and_tokens_that_may_not_look(api: Api, owner: Conn) -> None:
    """Platforms, policy staff and administrators open nothing; a platform sees its own as ever."""
    (upload,) = await cases(owner, VIOLATING)
    (foreign,) = await cases(owner, Ended("clean", "allow", platform="other"))
    for role in (api.platform, api.policy, api.admin):
        answer = await role.ask("POST", f"/v1/reviews/{upload}/reveal", json={"reason": "x"})
        sending.check_problem(answer, 403, "role_not_allowed")
    path = "/v1/uploads/{}/images/original"
    assert (await api.platform.ask("GET", path.format(upload)))[0] == 200
    sending.check_problem(await api.platform.ask("GET", path.format(foreign)), 404, "not_found")
    assert await served(owner) == 0


async def test_me_tells_who_the_token_is(api: Api, people: People) -> None:
    """Every role learns its own name and nothing of others."""
    one = await people.moderator("one")
    _, me, _ = await one.caller.ask("GET", "/v1/me")
    assert me == {
        "id": str(one.person.id),
        "name": "one",
        "role": "moderator",
        "platform": None,
        "scopes": None,
        "expires_at": None,
    }
    _, other, _ = await api.platform.ask("GET", "/v1/me")
    assert (other["role"], other["platform"]) == ("platform", "default")
    assert json.dumps(me) not in json.dumps(other)
    assert Terms().reveal == revealing.OPEN
