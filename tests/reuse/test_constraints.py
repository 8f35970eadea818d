"""What the database itself refuses of reuse, whoever writes."""

import pytest

from service.store import Pool
from tests import reuse
from tests.constraints import CHECK, TORN, UNIQUE, check_allowed, check_refused
from tests.flows import claims, driving
from tests.flows.driving import Owner

FIRST = "(SELECT id FROM uploads WHERE leads AND state = 'done')"
COPY = "(SELECT id FROM uploads WHERE reused_from IS NOT NULL)"
FOLLOWER = "(SELECT id FROM uploads WHERE waiting_for = 'reuse')"
HELD = "(SELECT id FROM uploads WHERE state = 'working')"
RECORD = (
    "INSERT INTO records (upload_id, attempt, edited_sha256, thumbnail_sha256, description, "
    "outcome, severity, rules) SELECT {}, {}, edited_sha256, thumbnail_sha256, description, "
    "outcome, severity, rules FROM records LIMIT 1"
)
ATTEMPT = (
    "INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256, "
    "reserved_microusd) SELECT {}, 7, 'x', 'x', sha256('x'), image_sha256, 1 FROM uploads LIMIT 1"
)
END = "state = 'done', outcome = 'clean', waiting_for = NULL, due_at = now(), finished_at = now()"


def upload(changes: str, which: str) -> str:
    return f"UPDATE uploads SET {changes} WHERE id = {which}"


REFUSED = {
    "a follower that is due": (upload("due_at = now()", FOLLOWER), CHECK),
    "a follower that was worked on": (upload("attempt = 1", FOLLOWER), CHECK),
    "a follower that leads": (upload("leads = true", FOLLOWER), CHECK),
    "a follower that works": (upload("state = 'working', due_at = now()", FOLLOWER), CHECK),
    "a copy that was worked on": (upload("attempt = 1", COPY), CHECK),
    "a copy that was charged": (upload("charges = 1", COPY), CHECK),
    "a copy that leads": (upload("leads = true", COPY), CHECK),
    "a copy of itself": (upload("reused_from = id", COPY), CHECK),
    "a copy before the end": (upload(f"reused_from = {FIRST}", FOLLOWER), CHECK),
    "a copy of a failure": (
        upload(
            f"reused_from = {FIRST}, state = 'failed', outcome = 'exhausted', waiting_for = NULL, "
            "due_at = now(), finished_at = now()",
            FOLLOWER,
        ),
        CHECK,
    ),
    "a copy of nobody": (upload("reused_from = gen_random_uuid()", COPY), TORN),
    "an attempt at a copy": (ATTEMPT.format(COPY), TORN),
    "two that lead": (
        upload("leads = true, waiting_for = NULL, due_at = now()", FOLLOWER),
        UNIQUE,
    ),
    "a copy without a record": (f"DELETE FROM records WHERE upload_id = {COPY}", TORN),
    "a record that nobody made": (
        f"{RECORD.format(HELD, 'NULL')}; {upload(END, HELD)}",
        TORN,
    ),
    "a record that its upload's copying made": (
        f"UPDATE records SET attempt = NULL WHERE upload_id = {FIRST}",
        TORN,
    ),
}
ALLOWED = (
    ATTEMPT.format(HELD),
    f"{RECORD.format(HELD, '1')}; {upload(END, HELD)}",
    f"{RECORD.format(FOLLOWER, 'NULL')}; {upload(f'reused_from = {FIRST}, {END}', FOLLOWER)}",
)


@pytest.fixture
async def world(pool: Pool, owner: Owner) -> Owner:
    """One that is done, a copy of it, one that waits for it, and another one that is worked on."""
    first = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, first)
    await driving.queued(pool)
    await reuse.follower(owner)
    await claims.claimed(pool, 9)
    return owner


async def test_what_is_reused_cannot_be_torn(world: Owner) -> None:
    """Each statement is refused by its own kind of constraint, at the latest at commit."""
    await check_refused(world, REFUSED)


async def test_statements_are_refused_for_their_fault_alone(world: Owner) -> None:
    """Those without a fault pass, so that the table above can really fail."""
    await check_allowed(world, ALLOWED)


async def test_a_failure_or_deletion_makes_room_for_another(world: Owner) -> None:
    """Whatever code ends the first one, the index alone says whether it still leads."""
    await reuse.delete(world, await world.fetchval(f"SELECT id FROM {FIRST} AS one (id)"))
    await world.execute(upload("leads = true, waiting_for = NULL, due_at = now()", FOLLOWER))

    assert await world.fetchval("SELECT count(*) FROM uploads WHERE leads") == 3
