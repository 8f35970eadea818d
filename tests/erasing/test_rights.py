"""What the database itself refuses: nothing goes but whole, with its entry in the audit trail."""

from uuid import UUID

import pytest

from service import erasing
from service.store import Conn, Pool, erasures
from tests.constraints import DENIED, FOREIGN, HISTORY, UNIQUE, check_refused
from tests.erasing import finish, orphans
from tests.flows import driving

PICTURE = "(SELECT sha256 FROM images LIMIT 1)"
GONE = "(SELECT id FROM uploads WHERE state = 'deleted')"
DONE = "(SELECT id FROM uploads WHERE state = 'done')"
DENIALS = (
    *(
        f"DELETE FROM {table}"
        for table in (
            *("uploads", "records", "proofs", "kept_edits", "images", "attempts", "cases"),
            *("fetches", "set_aside", "hook_events", "deliveries", "callbacks", "decisions"),
        )
    ),
    "INSERT INTO erasures (upload_id, images) VALUES (gen_random_uuid(), '{}')",
    "UPDATE erasures SET images = '{}'",
    "UPDATE uploads SET metadata = '{}'",
    "UPDATE proofs SET facts = '{}'",
)
REFUSED = {
    "an answer of what is not deleted": (
        f"UPDATE attempts SET answer_text = NULL, detail = NULL WHERE upload_id = {DONE}",
        HISTORY,
    ),
    "another price": (f"UPDATE attempts SET cost_microusd = 0 WHERE upload_id = {GONE}", HISTORY),
    "another price, with the answer": (
        f"UPDATE attempts SET cost_microusd = 0, detail = NULL WHERE upload_id = {GONE}",
        HISTORY,
    ),
    "another answer": (f"UPDATE attempts SET detail = 'x' WHERE upload_id = {GONE}", HISTORY),
    "another digest": (
        f"UPDATE attempts SET sent_sha256 = sha256('x') WHERE upload_id = {GONE}",
        HISTORY,
    ),
    "a proof of what is not deleted": (f"DELETE FROM proofs WHERE upload_id = {DONE}", HISTORY),
    "an emptied answer filled": ("UPDATE idempotency_keys SET body = '{}'", HISTORY),
    "a look at what is not stored": (
        (
            "INSERT INTO exposures (id, reveal_id, upload_id, person, image_sha256, severity)"
            f" SELECT gen_random_uuid(), gen_random_uuid(), {GONE}, id, sha256('x'), 1 FROM tokens"
        ),
        FOREIGN,
    ),
    "deleted twice": (
        (
            f"INSERT INTO erasures (upload_id, images) SELECT {GONE}, '{{}}'::bytea[]"
            f" UNION ALL SELECT {GONE}, '{{}}'::bytea[]"
        ),
        UNIQUE,
    ),
}
KEY = """
    INSERT INTO idempotency_keys (platform, key, request_sha256, upload_id, status, body)
    VALUES ('default', 'a', sha256('a'), $1, 202, '{}')
"""
TOKEN = """
    INSERT INTO tokens (id, sha256, role) VALUES (gen_random_uuid(), sha256('t'), 'moderator')
"""


@pytest.fixture
async def world(pool: Pool, owner: Conn) -> UUID:
    """One upload that was deleted, and one that is done."""
    await driving.queued(pool, platform="other")
    gone = await finish(pool)
    await driving.queued(pool)
    done = await finish(pool)
    await owner.execute(TOKEN)
    await owner.execute(KEY.replace("default", "other"), gone)
    async with pool.acquire() as conn:
        await erasing.erase(conn, gone, None, "test")
    return done


@pytest.mark.usefixtures("world")
async def test_the_application_can_delete_nothing_by_itself(pool: Pool) -> None:
    """The right itself is missing, so no fault in the code can take a part and leave the rest."""
    for statement in DENIALS:
        with pytest.raises(DENIED):
            await pool.execute(statement)


@pytest.mark.usefixtures("world")
async def test_even_the_owner_changes_only_what_deleting_changes(owner: driving.Owner) -> None:
    """Each statement is refused by its own kind of constraint."""
    await check_refused(owner, REFUSED)


async def test_nobody_else_may_delete(owner: Conn, world: UUID) -> None:
    """The functions are the application's alone."""
    assert world
    rows = await owner.fetch(
        "SELECT proname FROM pg_proc WHERE prosecdef AND has_function_privilege('public', oid,"
        " 'EXECUTE') AND proname IN ('erase_upload', 'forget_image', 'forget_told')"
    )
    assert rows == []


async def test_a_picture_that_is_named_anywhere_stays(pool: Pool, owner: Conn, world: UUID) -> None:
    """Each column with a foreign key to images keeps what it names; there is a row for each."""
    await owner.execute(
        "INSERT INTO example_pictures (ruleset, version, path, sha256)"
        f" VALUES ('privacy', 1, 'a', {PICTURE})"
    )
    places = await owner.fetch(
        "SELECT c.conrelid::regclass::text AS place, a.attname AS name FROM pg_constraint AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.contype = 'f' AND c.confrelid = 'images'::regclass"
    )
    assert len(places) == 9
    for place, name in places:
        digest = await owner.fetchval(f"SELECT {name} FROM {place} WHERE {name} IS NOT NULL")
        assert digest is not None, (place, name)
        async with pool.acquire() as conn:
            assert not await erasures.forget_image(conn, digest), (place, name)
    async with pool.acquire() as conn:
        await erasing.erase(conn, world, None, "test")
    assert (await owner.fetchval("SELECT count(*) FROM images"), await orphans(owner)) == (1, 0)


async def test_tables_of_a_sessions_own_fool_nobody(pool: Pool, owner: Conn, world: UUID) -> None:
    """What a session calls uploads is not what the functions look at."""
    async with pool.acquire() as conn:
        await conn.execute("CREATE TEMP TABLE uploads (LIKE public.uploads)")
        await conn.execute("INSERT INTO pg_temp.uploads SELECT * FROM public.uploads")
        await conn.execute("UPDATE pg_temp.uploads SET platform = 'mine'")
        assert await erasures.erase(conn, world, "mine", "test") is None
        await conn.execute("DROP TABLE pg_temp.uploads")
    assert (await driving.row(owner, world))["state"] == "done"


async def test_what_was_cut_off_is_finished_by_the_next(pool: Pool, owner: Conn) -> None:
    """Died between the two steps, its pictures are removed when it is deleted again."""
    await driving.queued(pool)
    upload = await finish(pool)
    async with pool.acquire() as conn:
        await erasures.erase(conn, upload, None, "test")
        assert await erasures.unfinished(conn, 9) == [upload]
        assert await owner.fetchval("SELECT count(*) FROM images") > 0
        await erasing.erase(conn, upload, None, "test")
        assert await erasures.unfinished(conn, 9) == []
    assert await owner.fetchval("SELECT count(*) FROM images") == 0
