"""What goes live: by whom, instead of what, and who wins where several want it at once."""

import asyncio
from typing import Any

import pytest

from service.store import Conn, Pool, releases
from service.store import rulesets as store
from service.store.database import Database
from service.store.releases import Kind, Release
from tests.conftest import Api, Caller
from tests.flows import driving
from tests.rulesets import add, get, publish, roll_back, source
from tests.web import sending

TWO_PEOPLE = "review: {second_person: true}\n"
ROUNDS = 15


@pytest.fixture
async def three(api: Api) -> list[int]:
    """Three versions of one ruleset, the first of them live."""
    made = [(await add(api.policy, source(title=title)))["version"] for title in "ABC"]
    await publish(api.policy, 1)
    return made


async def history(caller: Caller, name: str = "shop") -> list[tuple[str, int | None, int]]:
    """Read how a ruleset came to its live version: kind, version before, version."""
    newest = (await get(caller, f"/{name}"))["newest_version"]
    found = []
    for number in range(1, newest + 1):
        found += (await get(caller, f"/{name}/versions/{number}"))["releases"]
    found.sort(key=lambda one: one["at"])
    return [(one["kind"], one["previous_version"], one["version"]) for one in found]


async def test_publishing_is_kept_with_the_version(api: Api, three: list[int]) -> None:
    """The release names who, when, why and what was live; so does the audit trail's entry."""
    done = await publish(api.policy, three[1], reason="clearer")
    release = done["release"]
    assert (done["live_version"], done["examples"]) == (2, "none")
    assert (release["previous_version"], release["reason"], release["override"]) == (
        1,
        "clearer",
        False,
    )
    version = await get(api.moderator, "/shop/versions/2")
    assert (version["state"], version["releases"]) == ("live", [release])
    assert release["actor"] == version["author"]


async def test_a_release_is_audited(api: Api, three: list[int], owner: Conn) -> None:
    """The entry says who did it, from what to what, and why."""
    await publish(api.policy, three[2])
    await roll_back(api.policy, reason="too strict")
    rows = await owner.fetch("SELECT * FROM audit ORDER BY id DESC LIMIT 2")
    version = await get(api.policy, "/shop/versions/1")
    assert [(row["action"], row["subject"]) for row in rows] == [
        ("ruleset.rollback", "shop/1"),
        ("ruleset.publish", "shop/3"),
    ]
    assert rows[0]["detail"] == {
        "sha256": version["sha256"],
        "previous_version": 3,
        "reason": "too strict",
    }


async def test_publishing_what_is_live_changes_nothing(
    api: Api, three: list[int], owner: Conn
) -> None:
    """It succeeds, without a release and without an entry."""
    before = await owner.fetchval("SELECT count(*) FROM audit")
    assert (await publish(api.policy, three[0]))["release"] is None
    assert await history(api.policy) == [("publish", None, 1)]
    assert await owner.fetchval("SELECT count(*) FROM audit") == before


async def test_rollbacks_go_further_back(api: Api, three: list[int]) -> None:
    """Each undoes one release, never brings back what was undone, and stops at the first."""
    for number in three[1:]:
        await publish(api.policy, number)
    assert (await roll_back(api.policy))["live_version"] == 2
    assert (await roll_back(api.policy))["live_version"] == 1
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/rollback")
    sending.check_problem(answer, 409, "rollback_impossible")
    assert (await roll_back(api.policy, version=3))["live_version"] == 3
    assert (await get(api.policy, "/shop"))["states"] == {"draft": 0, "live": 1, "retired": 2}


async def test_only_what_was_live_is_rolled_back_to(api: Api, three: list[int]) -> None:
    """A draft must be published, and a version that is not there is 404."""
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/rollback", json={"version": three[1]})
    sending.check_problem(answer, 409, "rollback_impossible")
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/rollback", json={"version": 9})
    sending.check_problem(answer, 404, "not_found")
    assert await history(api.policy) == [("publish", None, 1)]


HISTORIES: list[tuple[str, list[tuple[Kind, int]], int | None]] = [
    ("nothing", [], None),
    ("the first", [("publish", 1)], None),
    ("two", [("publish", 1), ("publish", 2)], 1),
    ("undone", [("publish", 1), ("publish", 2), ("rollback", 1)], None),
    ("undone, then new", [("publish", 1), ("publish", 2), ("rollback", 1), ("publish", 3)], 1),
    ("again live", [("publish", 1), ("publish", 2), ("publish", 1)], 2),
    (
        "far back and on",
        [("publish", 1), ("publish", 2), ("publish", 3), ("rollback", 1), ("rollback", 3)],
        1,
    ),
]


@pytest.mark.parametrize(
    ("steps", "before"), [one[1:] for one in HISTORIES], ids=[one[0] for one in HISTORIES]
)
async def test_what_a_rollback_leads_to_follows_from_the_releases(
    pool: Pool, steps: list[tuple[Kind, int]], before: int | None
) -> None:
    """What was undone does not count as before."""
    at = await pool.fetchval("SELECT now()")
    done = [Release("a", number, kind, "x", None, False, None, at) for kind, number in steps]
    assert releases.before(done) == before


async def test_the_live_version_can_be_named_as_condition(api: Api, three: list[int]) -> None:
    """If-Match of another version is 409 with the winner; of the live one, or any, it goes on."""
    path = f"/v1/rulesets/shop/versions/{three[1]}/publish"
    for tag in ('"7"', '"0"', 'W/"1"', '"x"', "nonsense", '"2", "3"'):
        answer = await api.policy.ask("POST", path, headers={"If-Match": tag})
        sending.check_problem(answer, 409, "ruleset_moved", tag)
        (winner,) = answer[1]["errors"]
        assert winner["version"] == 1
        assert winner["actor"].startswith("token:")
    for tag in ('"1"', '"7", "2"', "*"):
        assert (await api.policy.ask("POST", path, headers={"If-Match": tag}))[0] == 200, tag
    _, _, headers = await api.policy.ask("GET", "/v1/rulesets/shop")
    answer = await api.policy.ask(
        "POST", "/v1/rulesets/shop/rollback", headers={"If-Match": headers["ETag"]}
    )
    assert answer[1]["live_version"] == 1


BODIES: list[dict[str, Any]] = [
    {"override": True},
    {"override": True, "reason": "  "},
    {"override": "yes"},
    {"reason": "x" * 1001},
    {"reason": "a\0b"},
    {"because": "of this"},
]


@pytest.mark.parametrize("body", BODIES)
async def test_an_odd_body_is_refused(api: Api, three: list[int], body: dict[str, Any]) -> None:
    """An override without a reason, other types, and unknown fields change nothing."""
    path = f"/v1/rulesets/shop/versions/{three[1]}/publish"
    sending.check_problem(await api.policy.ask("POST", path, json=body), 422, "validation_failed")
    assert await history(api.policy) == [("publish", None, 1)]


@pytest.mark.parametrize("asks", ["new", "live"])
async def test_a_second_person_publishes(api: Api, pool: Pool, asks: str) -> None:
    """Where the new or the live version asks for it, its author gets 403; anybody else may."""
    other = await sending.caller(api, pool, "policy")
    await add(api.policy, source(more=TWO_PEOPLE if asks == "live" else ""))
    await publish(other, 1)
    await add(api.policy, source(title="New", more=TWO_PEOPLE if asks == "new" else ""))
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/versions/2/publish")
    sending.check_problem(answer, 403, "second_person_needed")
    assert (await get(api.policy, "/shop"))["live_version"] == 1
    assert (await publish(other, 2))["live_version"] == 2
    # Undoing must not wait for anybody.
    assert (await roll_back(api.policy))["live_version"] == 1


async def test_the_first_author_stays_the_author(api: Api, pool: Pool) -> None:
    """Sending somebody's content again makes nobody its author, so two people it still takes."""
    other = await sending.caller(api, pool, "policy")
    await add(api.policy, source(more=TWO_PEOPLE))
    await add(other, source(more=TWO_PEOPLE))
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/versions/1/publish")
    sending.check_problem(answer, 403, "second_person_needed")
    await publish(other, 1)


async def test_what_no_upstream_takes_does_not_go_live(api: Api) -> None:
    """Too long for the model that would judge, it stays a draft and can be looked at."""
    long = source(more="model: gpt-image-1.5\n").replace("goal: ", f"goal: {'x ' * 1_900}")
    text = long + "".join(
        f"  - {{id: r{n}, title: R, policy: {'y ' * 1_900}, should_not: [Z], severity: low, "
        "edit: blur, verdict: hold}\n"
        for n in range(9)
    )
    await add(api.policy, text)
    answer = await api.policy.ask("POST", "/v1/rulesets/shop/versions/1/publish")
    sending.check_problem(answer, 422, "ruleset_too_long")
    (upstream,) = (await get(api.policy, "/shop/versions/1/prompt"))["upstreams"]
    assert "at most 32000 characters" in upstream["misfit"]
    assert upstream["monthly"][0] == {"images": 1_000, "microusd": None}


async def both(one: Caller, two: Caller, *paths: str) -> list[tuple[int, Any, Any]]:
    """Send two orders at once."""
    return list(await asyncio.gather(one.ask("POST", paths[0]), two.ask("POST", paths[1])))


@pytest.mark.usefixtures("three")
async def test_of_two_at_once_one_wins(api: Api, pool: Pool, where: Database) -> None:
    """Held up until both wait for their turn, one is live and the other is told who was faster."""
    other = await sending.caller(api, pool, "policy")
    lock = await where.connect_owner()
    watch = await where.connect_owner()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    waiting += " AND datname = current_database()"
    orders = (
        ("/versions/2/publish", "/versions/3/publish"),
        ("/versions/1/publish", "/versions/1/publish"),
        ("/rollback", "/versions/2/publish"),
    )
    try:
        for paths in orders:
            before = (await get(api.policy, "/shop"))["live_version"]
            held = lock.transaction()
            await held.start()
            await lock.execute("SELECT FROM rulesets WHERE name = 'shop' FOR UPDATE")
            sent = asyncio.create_task(
                both(api.policy, other, *(f"/v1/rulesets/shop{path}" for path in paths))
            )

            async def both_wait() -> bool:
                return bool(await watch.fetchval(waiting) == 2)

            await driving.until(both_wait, "both wait for the lock")
            await held.rollback()
            answers = await sent
            assert sorted(answer[0] for answer in answers) == [200, 409], paths
            won, lost = sorted(answers, key=lambda answer: answer[0])
            sending.check_problem(lost, 409, "ruleset_moved")
            release = won[1]["release"]
            assert release["previous_version"] == before
            assert lost[1]["errors"][0]["version"] == release["version"]
            assert lost[1]["errors"][0]["actor"] == release["actor"]
            assert (await get(api.policy, "/shop"))["live_version"] == release["version"]
    finally:
        await lock.close()
        await watch.close()


async def test_publishing_in_a_crowd_is_one_after_another(
    api: Api, pool: Pool, three: list[int]
) -> None:
    """
    In many rounds of two orders at once, without anything to hold them up, none is lost.

    Who got 200 stands in the history, each release names the one before it, and who got 409 was
    told of a release that stands there.
    """
    other = await sending.caller(api, pool, "policy")
    succeeded = 1
    for number in range(ROUNDS):
        live = (await get(api.policy, "/shop"))["live_version"]
        others = [one for one in three if one != live]
        first, second = others if number % 2 else reversed(others)
        paths = [f"/v1/rulesets/shop/versions/{one}/publish" for one in (first, second)]
        answers = await both(api.policy, other, *paths)
        assert {answer[0] for answer in answers} in ({200}, {200, 409})
        succeeded += sum(answer[0] == 200 for answer in answers)
        for status, body, _ in answers:
            if status == 409:
                assert body["errors"][0]["version"] in others
    steps = await history(api.policy)
    assert len(steps) == succeeded
    assert [before for _, before, _ in steps] == [None, *(version for *_, version in steps[:-1])]
    assert steps[-1][2] == (await get(api.policy, "/shop"))["live_version"]


async def test_drafts_at_once_are_numbered_one_by_one(api: Api, pool: Pool) -> None:
    """Of many authors at once each gets a number of its own, without a gap."""
    other = await sending.caller(api, pool, "policy")
    made = await asyncio.gather(
        *(add((api.policy, other)[n % 2], source(title=f"T{n}")) for n in range(12))
    )
    assert sorted(one["version"] for one in made) == list(range(1, 13))


async def test_an_upload_keeps_its_version(api: Api, three: list[int]) -> None:
    """What was accepted under a version stays with it when another goes live."""
    first = await api.platform.upload(sending.PNG, "?ruleset=shop")
    await publish(api.policy, three[1])
    second = await api.platform.upload(sending.PNG, "?ruleset=shop")
    await roll_back(api.policy)
    third = await api.platform.upload(sending.PNG, "?ruleset=shop")
    kept = [
        (await api.platform.ask("GET", f"/v1/uploads/{one['id']}"))[1]["ruleset"]["version"]
        for one in (first, second, third)
    ]
    assert kept == [1, 2, 1]


async def test_the_store_refuses_a_release_of_nothing(pool: Pool, owner: Conn) -> None:
    """A version that is not there does not go live, whoever writes."""
    async with pool.acquire() as conn:
        with pytest.raises(Exception, match="rulesets_name_live_version_fkey"):
            await store.publish(conn, "privacy", 99)
        new = releases.NewRelease("privacy", 99, "publish", "x", None, False, 1)
        with pytest.raises(Exception, match="releases_ruleset_version_fkey"):
            await releases.add(conn, new)
    assert await owner.fetchval("SELECT count(*) FROM releases WHERE version = 99") == 0
