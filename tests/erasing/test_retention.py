"""Retention: what was kept for long enough is deleted, and nothing that somebody still needs."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from service import retaining
from service.retaining import Keeping
from service.roles import delivering
from service.settings import Settings
from service.store import Conn, Pool, erasures
from service.store.database import Database
from tests.conftest import Api
from tests.erasing import days, finish
from tests.flows import driving, processes
from tests.reviews.people import People, apply
from tests.web import ended
from tests.web.ended import Ended

# Those below ended a minute after the first of November began.
DAY = datetime(2026, 11, 1, 0, 1, tzinfo=UTC)
ENDED: Mapping[str, Ended] = {
    "allowed": Ended("clean", "allow"),
    "edited": Ended("redacted", "allow_edited", rules=("faces",), severity=2),
    "blocked": Ended("violating", "block", rules=("weapons",), severity=4),
    "held": Ended("violating", "hold", rules=("weapons",), severity=3),
    "failed": Ended("refused", state="failed"),
    "golden": Ended("clean", "allow", platform="golden-examples"),
    "later": Ended("clean", "allow", day=5),
}
SHORT = timedelta(days=10)


@pytest.fixture
async def kept(owner: Conn) -> dict[str, UUID]:
    """Uploads of every kind, and one that has not ended."""
    return {name: await ended.add(owner, one) for name, one in ENDED.items()}


async def deleted(conn: Conn, kept: Mapping[str, UUID]) -> set[str]:
    rows = await conn.fetch("SELECT id FROM uploads WHERE state = 'deleted'")
    gone = {row["id"] for row in rows}
    return {name for name, upload in kept.items() if upload in gone}


async def tidied(pool: Pool, keeping: Keeping, now: datetime) -> int:
    """Apply it until nothing more is due; tell how much went."""
    total = 0
    async with pool.acquire() as conn:
        while went := await retaining.tidy(conn, keeping, now=now):
            total += went
    return total


@pytest.mark.parametrize(
    ("keeping", "after", "gone"),
    [
        (Keeping(), 3650, set()),
        (Keeping(allowed=SHORT), 9.99, set()),
        (Keeping(allowed=SHORT), 10.01, {"allowed", "edited"}),
        (Keeping(allowed=SHORT), 15.01, {"allowed", "edited", "later"}),
        (Keeping(decided=SHORT), 3650, set()),
        (Keeping(waiting=SHORT), 10.01, {"blocked", "held", "failed"}),
        (
            Keeping(SHORT, SHORT, SHORT),
            3650,
            {"allowed", "edited", "later", "blocked", "held", "failed"},
        ),
    ],
)
async def test_each_kind_is_kept_for_its_time(
    pool: Pool,
    owner: Conn,
    kept: dict[str, UUID],
    keeping: Keeping,
    after: float,
    gone: set[str],
) -> None:
    """Counted from the end; unset is for ever; golden examples and what is unfinished stay."""
    waiting = await driving.queued(pool)
    assert await tidied(pool, keeping, DAY + days(after)) == len(gone)
    assert await deleted(owner, kept) == gone
    assert (await driving.row(owner, waiting))["state"] == "queued"
    actors = await owner.fetch("SELECT actor FROM audit WHERE action = 'upload.delete'")
    assert [row["actor"] for row in actors] == ["retention"] * len(gone)


@pytest.fixture
def people(api: Api, pool: Pool) -> People:
    """Who makes moderators."""
    return People(api, pool)


async def test_what_people_work_on_stays_until_they_are_done(
    people: People, pool: Pool, owner: Conn, kept: dict[str, UUID]
) -> None:
    """A lease and an undo window hold it; a decision lets its time begin anew."""
    ann = await people.moderator("ann")
    for name in ("blocked", "held", "failed"):
        assert (await ann.post(f"{kept[name]}/lease"))[0] == 200
    soon, late = datetime.now(UTC) + days(9), datetime.now(UTC) + days(11)
    keeping = Keeping(SHORT, SHORT, SHORT)
    await tidied(pool, keeping, late)
    assert await deleted(owner, kept) == {"allowed", "edited", "later"}

    for name, decision in (("blocked", "allow"), ("held", "block"), ("failed", "escalate")):
        assert (await ann.decide(kept[name], decision, "seen"))[0] == 201
    assert await tidied(pool, keeping, late) == 0
    assert await apply(owner, pool) == 3
    assert await tidied(pool, keeping, soon) == 0
    for only, name in (
        (Keeping(allowed=SHORT), "blocked"),
        (Keeping(decided=SHORT), "held"),
        (Keeping(waiting=SHORT), "failed"),
    ):
        before = await deleted(owner, kept)
        assert await tidied(pool, only, late) == 1
        assert await deleted(owner, kept) - before == {name}


async def test_several_processes_share_it(pool: Pool, owner: Conn) -> None:
    """Each upload is deleted once, and one that somebody holds is left for the next time."""
    several = [await ended.add(owner, Ended("clean", "allow")) for _ in range(40)]
    now, keeping = DAY + days(11), Keeping(allowed=SHORT)
    async with pool.acquire() as busy, busy.transaction():
        await busy.execute("SELECT FROM uploads WHERE id = $1 FOR NO KEY UPDATE", several[7])
        await asyncio.gather(*(tidied(pool, keeping, now) for _ in range(4)))
        left = await owner.fetch("SELECT id FROM uploads WHERE state <> 'deleted'")
        assert [row["id"] for row in left] == [several[7]]
    assert await tidied(pool, keeping, now) == 1
    subjects = [row["subject"] for row in await owner.fetch("SELECT subject FROM audit")]
    assert sorted(one for one in subjects if one in map(str, several)) == sorted(map(str, several))
    assert await owner.fetchval("SELECT count(*) FROM images") == 0


async def test_what_was_cut_off_is_finished(pool: Pool, owner: Conn) -> None:
    """Pictures of a deletion that did not come to its end go with nothing else due."""
    await driving.queued(pool)
    upload = await finish(pool)
    async with pool.acquire() as conn:
        await erasures.erase(conn, upload, None, "test")
    assert await tidied(pool, Keeping(), datetime.now(UTC)) == 1
    assert await owner.fetchval("SELECT count(*) FROM images") == 0


_TOLD = (
    (
        "INSERT INTO idempotency_keys (platform, key, request_sha256, upload_id, status, body,"
        " created_at) VALUES ('default', $1, sha256('a'), $2, 202, '{}', $3)"
    ),
    (
        "INSERT INTO hook_events (platform, preset, event_id, upload_id, created_at)"
        " VALUES ('default', 's3', $1, $2, $3)"
    ),
    (
        "WITH told AS (INSERT INTO callbacks (id, upload_id, type, body)"
        " VALUES (gen_random_uuid(), $2, 'upload.decided', '{}') RETURNING id)"
        " INSERT INTO deliveries (callback_id, endpoint, attempt, url, error, started_at,"
        " finished_at)"
        " SELECT id, id, 1, $1, 'no answer', $3, $3 FROM told"
    ),
)


async def test_keys_events_and_tries_are_forgotten_in_their_time(pool: Pool, owner: Conn) -> None:
    """Each from its age on, whatever retention says; under a day old none goes, however asked."""
    upload = await ended.add(owner, ENDED["allowed"])
    moment = datetime.now(UTC)
    for age in (0.5, 6, 8, 29, 31):
        for statement in _TOLD:
            await owner.execute(statement, f"age {age}", upload, moment - days(age))

    async def left(column: str, table: str) -> list[str]:
        rows = await owner.fetch(f"SELECT {column} FROM {table} ORDER BY 1")
        return [row[0] for row in rows]

    assert await tidied(pool, Keeping(), moment) == 3 + 2
    assert await left("key", "idempotency_keys") == ["age 0.5", "age 6"]
    for column, table in (("event_id", "hook_events"), ("url", "deliveries")):
        assert await left(column, table) == ["age 0.5", "age 29", "age 6", "age 8"]
    async with pool.acquire() as conn:
        await erasures.forget_told(conn, timedelta(0), 100, now=moment + days(100))
    for column, table in (("event_id", "hook_events"), ("url", "deliveries")):
        assert await left(column, table) == ["age 0.5"]


@pytest.mark.parametrize(
    ("given", "keeping"),
    [
        ({}, Keeping()),
        ({"retention_days": 3}, Keeping(days(3), days(3), None)),
        ({"retention_days": 3, "retention_allowed_days": 0.5}, Keeping(days(0.5), days(3), None)),
        ({"retention_allowed_days": 1}, Keeping(days(1), None, None)),
        ({"retention_waiting_days": 90}, Keeping(None, None, days(90))),
    ],
)
def test_settings_say_how_long(given: dict[str, float], keeping: Keeping) -> None:
    """What waits for a person is only deleted where a setting of its own says so."""
    assert delivering.keeping_of(Settings.model_validate(given)) == keeping


async def test_the_deliver_role_applies_it(
    where: Database, owner: Conn, kept: dict[str, UUID]
) -> None:
    """A real process deletes what is due by itself, and leaves what waits for a person."""
    async with processes.deliver(where, retention_days=0.001):

        async def all_gone() -> bool:
            return await deleted(owner, kept) == {"allowed", "edited", "later"}

        await driving.until(all_gone, "what is due was deleted")
