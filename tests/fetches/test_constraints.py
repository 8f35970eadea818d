"""What the database itself refuses of fetches and events, whoever writes; and how it came there."""

import pytest

from service import resources
from service.store import Pool, migrations
from tests import fetches
from tests.constraints import (
    CHECK,
    DENIED,
    FOREIGN,
    HISTORY,
    TORN,
    UNIQUE,
    check_allowed,
    check_refused,
)
from tests.flows import claims, driving
from tests.flows.driving import Owner

WAITING = "(SELECT id FROM uploads WHERE waiting_for = 'fetch')"
QUEUED = "(SELECT id FROM uploads WHERE state = 'queued' AND waiting_for IS NULL)"
IMAGE = "(SELECT sha256 FROM images LIMIT 1)"
OTHER = "(SELECT sha256 FROM images ORDER BY sha256 DESC LIMIT 1)"
END = "waiting_for = NULL, due_at = now(), finished_at = now()"
ENDED = "UPDATE fetches SET ended_at = now()"
WORKED = "state = 'working', waiting_for = NULL, due_at = now()"
A, B = "'a'", "'b'"
ADDRESS = '{"url": "x"}'
FOLLOWS = f"image_sha256 = {IMAGE}, waiting_for = 'reuse'"
COME = f"image_sha256 = {IMAGE}, waiting_for = NULL, due_at = now()"


def upload(changes: str, which: str = WAITING) -> str:
    return f"UPDATE uploads SET {changes} WHERE id = {which}"


def fails(outcome: str, which: str = WAITING) -> str:
    return upload(f"state = 'failed', outcome = '{outcome}', {END}", which)


def fetch(source: str, upload: str = QUEUED, platform: str = "default") -> str:
    return (
        "INSERT INTO fetches (upload_id, platform, source, ended_at) "
        f"VALUES ({upload}, '{platform}', '{source}', now())"
    )


def event(event_id: str, upload: str = QUEUED, platform: str = "default") -> str:
    return (
        "INSERT INTO hook_events (platform, preset, event_id, upload_id) "
        f"VALUES ('{platform}', 's3', {event_id}, {upload})"
    )


LOST = (
    "INSERT INTO uploads (id, platform, ruleset, version, waiting_for, due_at) "
    "VALUES (gen_random_uuid(), 'default', 'privacy', 1, 'fetch', 'infinity')"
)
REFUSED = {
    "no image, waiting for nothing": (upload("waiting_for = NULL"), CHECK),
    "no image, waiting for reuse": (upload("waiting_for = 'reuse'"), CHECK),
    "no image, in work": (
        f"{upload(WORKED)}; {ENDED}",
        CHECK,
    ),
    "no image, another failure": (
        f"{fails('exhausted')}; {ENDED}",
        CHECK,
    ),
    "an image that is waited for": (upload(f"image_sha256 = {IMAGE}"), CHECK),
    "waiting, due": (upload("due_at = now()"), CHECK),
    "waiting, worked on": (upload("attempt = 1"), CHECK),
    "waiting, leading": (upload("leads = true"), CHECK),
    "not fetched with an image": (
        fails("not_fetched", QUEUED),
        CHECK,
    ),
    "not fetched and allowed": (
        fails("not_fetched', verdict = 'allow"),
        CHECK,
    ),
    "an unknown failure": (fails("lost"), CHECK),
    "another image": (upload(f"image_sha256 = {OTHER}", QUEUED), HISTORY),
    "an image taken away": (
        upload(f"image_sha256 = NULL, state = 'failed', outcome = 'unreadable', {END}", QUEUED),
        HISTORY,
    ),
    "come, and still fetched": (upload(COME), TORN),
    "fetched, and still waiting": (ENDED, TORN),
    "waiting for no fetch": (
        LOST,
        TORN,
    ),
    "a fetch that nobody waits for": (
        f"{fetch(ADDRESS)}; UPDATE fetches SET ended_at = NULL",
        TORN,
    ),
    "a second fetch": (fetch(ADDRESS, WAITING), UNIQUE),
    "a source of nowhere": (fetch("{}"), CHECK),
    "a source of two kinds": (fetch('{"url": "x", "bucket": "b", "key": "k"}'), CHECK),
    "a bucket alone": (fetch('{"bucket": "b"}'), CHECK),
    "tries below none": ("UPDATE fetches SET tries = -1", CHECK),
    "a fetch of nobody's": (fetch(ADDRESS, platform="nobody"), FOREIGN),
    "an event twice": (f"{event(A)}; {event(A)}", UNIQUE),
    "an event of nothing": (event(A, "gen_random_uuid()"), FOREIGN),
    "an event without an id": (event("''"), CHECK),
    "an event with a long id": (event("repeat('a', 201)"), CHECK),
    "an event of nobody's": (event(A, platform="nobody"), FOREIGN),
}
ALLOWED = (
    f"{upload(COME)}; {ENDED}",
    f"{upload(FOLLOWS)}; {ENDED}",
    f"{fails('not_fetched')}; {ENDED}",
    f"{fails('unreadable')}; {ENDED}",
    fetch('{"bucket": "b", "key": "k", "version": null}'),
    upload(f"image_sha256 = NULL, state = 'deleted', {END}", QUEUED),
    f"{event(A)}; {event(B)}",
)
DENIALS = (
    "UPDATE fetches SET source = '{}'",
    "DELETE FROM fetches",
    "UPDATE hook_events SET event_id = 'b'",
    "DELETE FROM hook_events",
)


@pytest.fixture
async def world(pool: Pool, owner: Owner) -> Owner:
    """One upload that waits for its image, one that is due, one that is worked on."""
    await claims.claimed(pool, 9)
    await driving.queued(pool)
    await fetches.told(pool, "http://127.0.0.1/a.png")
    return owner


async def test_what_is_fetched_cannot_be_torn(world: Owner) -> None:
    """Each statement is refused by its own kind of constraint, at the latest at commit."""
    await check_refused(world, REFUSED)


async def test_statements_are_refused_for_their_fault_alone(world: Owner) -> None:
    """Those without a fault pass, so that the table above can really fail."""
    await check_allowed(world, ALLOWED)


@pytest.mark.usefixtures("world")
async def test_the_application_may_not_rewrite_what_was_told(pool: Pool) -> None:
    """Where an image was, and which events there were, stays as it was entered."""
    for statement in DENIALS:
        with pytest.raises(DENIED):
            await pool.execute(statement)


OLD = """
    INSERT INTO platforms (name) VALUES ('old');
    INSERT INTO rulesets (name) VALUES ('r');
    INSERT INTO ruleset_versions (ruleset, version, source, sha256, content, prompt, prompt_sha256,
                                  schema, author)
    VALUES ('r', 1, 'x', sha256('x'), '{}', 'x', sha256('x'), '{}', 'x');
    INSERT INTO images (sha256, mime, width, height, data)
    VALUES (sha256('x'), 'image/png', 1, 1, 'x');
    INSERT INTO uploads (id, platform, image_sha256, ruleset, version)
    SELECT gen_random_uuid(), 'old', sha256('x'), 'r', 1 FROM generate_series(1, 500);
    UPDATE uploads SET state = 'failed', outcome = 'exhausted', finished_at = now()
     WHERE id IN (SELECT id FROM uploads LIMIT 200);
"""
# What the code before it goes on to write meanwhile.
BEFORE = """
    UPDATE uploads SET state = 'working', attempt = 1 WHERE id =
        (SELECT id FROM uploads WHERE state = 'queued' LIMIT 1);
    UPDATE uploads SET state = 'failed', outcome = 'refused', finished_at = now()
     WHERE state = 'working';
    INSERT INTO uploads (id, platform, image_sha256, ruleset, version)
    VALUES (gen_random_uuid(), 'old', sha256('x'), 'r', 1);
"""


async def test_migration_of_a_database_in_use(bare: Owner) -> None:
    """It keeps all rows, the code before it goes on writing, and all rows meet the new rules."""
    all_of_them = migrations.read(resources.folder("migrations"))
    await migrations.apply(bare, [one for one in all_of_them if one.version < 10])
    await bare.execute(OLD)
    (new,) = [one for one in all_of_them if one.version == 10]
    assert await migrations.apply(bare, [new]) == ["0010_add_fetches.sql"]
    await bare.execute(BEFORE)
    counted = await bare.fetch("SELECT state, count(*) FROM uploads GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in counted] == [("failed", 201), ("queued", 300)]
    names = await bare.fetch(
        "SELECT conname FROM pg_constraint "
        "WHERE conrelid = 'uploads'::regclass AND NOT convalidated"
    )
    for row in names:
        await bare.execute(f"ALTER TABLE uploads VALIDATE CONSTRAINT {row['conname']}")
    assert {"image_unless_fetched", "fetched_is_never_due"} <= {row["conname"] for row in names}
