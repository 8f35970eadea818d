"""Who gets which case: order, leases, skipping, handing over, and queues."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp

from service import leasing
from service.leasing import Ask
from service.store import Conn, Pool, pending
from service.store.database import Database
from service.store.pending import Wanted
from service.store.records import Filter
from tests.conftest import Api
from tests.flows import processes
from tests.reviews.people import HELD, VIOLATING, Moderator, People, cases
from tests.web.ended import Ended
from tests.web.sending import until

LOW = Ended("violating", "hold", rules=("weapons",), severity=1, day=0)
ALLOWED = Ended("clean", "allow")


def ids(answer: Any) -> list[str]:
    """The case that was given, and those that follow."""
    return [answer["case"]["id"], *(one["case"]["id"] for one in answer["following"])]


async def test_the_most_severe_comes_first_then_the_oldest(people: People, owner: Conn) -> None:
    """Only what is held or blocked and undecided comes, whatever order it arrived in."""
    days = [(1, 3), (4, 2), (4, 1), (3, 0), (4, 5)]
    made = await cases(
        owner, ALLOWED, *(Ended("violating", "hold", severity=s, day=day) for s, day in days)
    )
    one = await people.moderator("one")

    got = ids(await one.next("?prefetch=10"))

    order = [made[1 + days.index(pair)] for pair in [(4, 1), (4, 2), (4, 5), (3, 0), (1, 3)]]
    assert got == [str(upload) for upload in order]


async def test_asking_again_gives_the_same_case_until_it_is_skipped(
    people: People, owner: Conn
) -> None:
    """One's own leases come first, in the order in which one got them."""
    first, second, third = await cases(owner, VIOLATING, HELD, LOW)
    one = await people.moderator("one")
    assert ids(await one.next("?prefetch=1")) == [str(first), str(second)]
    assert ids(await one.next()) == [str(first)]

    assert ids(await one.next(skip=[str(first)])) == [str(second)]
    assert (await one.post(f"{second}/skip", reason="tired"))[0] == 204
    assert ids(await one.next("?prefetch=5", skip=[str(first)])) == [str(third)]


async def test_asking_twice_at_once_gives_the_same_case_twice(people: People, owner: Conn) -> None:
    """Of two questions of one person, the second finds what the first one leased, not nothing."""
    (upload,) = await cases(owner, VIOLATING)
    one = await people.moderator("one")
    for answer in await asyncio.gather(*(one.next() for _ in range(8))):
        assert ids(answer) == [str(upload)]


async def test_a_skipped_case_is_offered_to_others(people: People, owner: Conn) -> None:
    """Who skipped it is not asked again; handing over is for good."""
    (upload,) = await cases(owner, VIOLATING)
    one, two = await people.moderator("one"), await people.moderator("two")
    await one.next()
    await one.post(f"{upload}/skip")
    assert await one.next() is None
    assert ids(await two.next()) == [str(upload)]

    await two.post(f"{upload}/handover", reason="too much")
    row = await owner.fetchrow("SELECT kind, until::text FROM set_aside WHERE reason <> ''")
    assert row is not None
    assert tuple(row) == ("handover", "infinity")
    assert await two.next() is None


async def test_a_lease_runs_out_and_the_case_comes_back(
    people: People, owner: Conn, pool: Pool
) -> None:
    """Who was away loses the case to the next who asks; who renews keeps it."""
    (upload,) = await cases(owner, VIOLATING)
    one, two = await people.moderator("one"), await people.moderator("two")
    ask = Ask(Wanted(Filter()))
    async with pool.acquire() as conn:
        (lease,) = await leasing.next_cases(conn, one.person, ask, timedelta(milliseconds=300))
        assert await leasing.next_cases(conn, two.person, ask) == []

        async def taken() -> bool:
            return bool(await leasing.next_cases(conn, two.person, ask))

        await until(taken)
        assert lease.upload_id == upload
    status, problem = await one.post(f"{upload}/lease")
    assert (status, problem["code"]) == (409, "leased_by_other")
    assert problem["current"]["lease"]["holder"]["name"] == "two"
    assert (await two.post(f"{upload}/lease"))[0] == 200


async def test_a_case_given_back_is_free(people: People, owner: Conn) -> None:
    """Only one's own lease ends."""
    (upload,) = await cases(owner, VIOLATING)
    one, two = await people.moderator("one"), await people.moderator("two")
    await one.next()
    await two.caller.ask("DELETE", f"/v1/reviews/{upload}/lease")
    assert await two.next() is None

    await one.caller.ask("DELETE", f"/v1/reviews/{upload}/lease")

    assert ids(await two.next()) == [str(upload)]


async def test_twenty_at_once_over_two_processes_get_the_first_twenty(
    people: People, where: Database, owner: Conn
) -> None:
    """Nobody gets another's case, and together they have the most severe ones."""
    made = await cases(
        owner, *(Ended("violating", "hold", severity=1 + n % 4, day=n) for n in range(40))
    )
    team = [await people.moderator(f"m{number}") for number in range(20)]
    async with (
        processes.serve(where) as (_, one),
        processes.serve(where) as (_, two),
        aiohttp.ClientSession() as session,
    ):

        async def ask(number: int, who: Moderator) -> str:
            url = (two if number % 2 else one) + "/v1/reviews/next"
            headers = {"Authorization": f"Bearer {who.caller.token}"}
            async with session.post(url, headers=headers) as response:
                assert response.status == 200, await response.text()
                return str((await response.json())["case"]["id"])

        got = await asyncio.gather(*(ask(number, who) for number, who in enumerate(team)))

    first = sorted(range(40), key=lambda n: (-(1 + n % 4), n))[:20]
    assert sorted(got) == sorted(str(made[n]) for n in first)


async def test_a_queue_is_a_filter_with_an_order_and_a_bound(
    people: People, api: Api, owner: Conn
) -> None:
    """What it does not have is not offered; its settings come with the case."""
    low, held, violating = await cases(owner, LOW, HELD, VIOLATING)
    settings = {
        "name": "gentle",
        "filter": {"rule": "weapons"},
        "order": "oldest",
        "max_severity": 3,
        "blur": {"severity": 2},
    }
    status, made, _ = await api.policy.ask("POST", "/v1/queues", json=settings)
    assert (status, made["pending"], made["more"]) == (201, 2, False), made
    one = await people.moderator("one")

    got = await one.next("?prefetch=5", queue="gentle")

    assert sorted(ids(got)) == sorted([str(low), str(held)])
    assert str(violating) not in ids(got)
    assert got["queue"]["blur"] == {"severity": 2}
    _, page, _ = await api.moderator.ask("GET", "/v1/queues/gentle/cases")
    assert {one["lease"]["holder"]["name"] for one in page["items"]} == {"one"}


async def test_pages_of_a_queue_together_are_the_queue(api: Api, owner: Conn) -> None:
    """Each case once, in the queue's order, for every order."""
    made = await cases(
        owner, *(Ended("violating", "hold", severity=1 + n % 3, day=n % 4) for n in range(9))
    )
    for order in ("severity", "oldest", "newest"):
        await api.policy.ask("PATCH", "/v1/queues/held", json={"order": order})
        seen: list[str] = []
        cursor = ""
        while True:
            _, page, _ = await api.moderator.ask("GET", f"/v1/queues/held/cases?limit=2{cursor}")
            seen += [item["case"]["id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        facts = {str(upload): (1 + n % 3, n % 4) for n, upload in enumerate(made)}
        keys = [facts[one] for one in seen]
        assert sorted(seen) == sorted(facts), order
        if order == "severity":
            assert keys == sorted(keys, key=lambda key: (-key[0], key[1]))
        else:
            assert [day for _, day in keys] == sorted(
                (day for _, day in keys), reverse=order == "newest"
            )


async def test_counting_stops_at_a_thousand(api: Api, owner: Conn) -> None:
    """Beyond that a queue only says that there are more; the oldest's age is told anyway."""
    (upload,) = await cases(owner, Ended("violating", "hold", severity=1))
    await owner.execute("ALTER TABLE cases DISABLE TRIGGER USER")
    await copies(owner, upload, 1000)

    _, listed, _ = await api.moderator.ask("GET", "/v1/queues")

    (held,) = listed["items"]
    assert (held["name"], held["pending"], held["more"]) == ("held", 1000, True)
    assert held["oldest_s"] > 0


async def copies(owner: Conn, upload: UUID, number: int) -> None:
    """Make more failed uploads like this one, quickly."""
    await owner.execute(
        """
        INSERT INTO uploads (id, platform, image_sha256, ruleset, version, state, outcome,
                             finished_at)
        SELECT gen_random_uuid(), platform, image_sha256, ruleset, version, 'failed', 'refused',
               now()
          FROM uploads, generate_series(1, $2::int) WHERE id = $1
        """,
        upload,
        number,
    )


SCANS = """
    SELECT (SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'cases') AS whole,
           (SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes
             WHERE indexrelname LIKE 'cases_pending%') AS by_index
"""


async def test_what_waits_is_read_by_its_indexes(people: People, owner: Conn, pool: Pool) -> None:
    """Leasing, listing from a place and the oldest's age never read the whole table."""
    one = await people.moderator("one")
    first, *_ = await cases(owner, HELD, Ended("violating", "hold", severity=1))
    await copies(owner, first, 3000)
    await owner.execute("VACUUM ANALYZE cases")
    wanted = Wanted(Filter())
    async with pool.acquire() as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        before = await owner.fetchrow(SCANS)
        (lease,) = await leasing.next_cases(conn, one.person, Ask(wanted))
        found = await pending.page(conn, wanted, first, 50)
        age = await pending.oldest_s(conn, wanted)
        await conn.execute("SELECT pg_stat_force_next_flush()")
        await conn.execute("SELECT 1")
    after = await owner.fetchrow(SCANS)

    assert (lease.upload_id, len(found)) == (first, 50)
    assert age is not None
    assert before is not None
    assert after is not None
    assert after["whole"] == before["whole"]
    assert after["by_index"] >= before["by_index"] + 3
