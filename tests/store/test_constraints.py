"""What the database itself refuses, whoever writes."""

from dataclasses import dataclass

import asyncpg
import pytest

from service.store import Pool
from tests.flows import claims, driving
from tests.flows.driving import Owner

CHECK = asyncpg.CheckViolationError
NULL = asyncpg.NotNullViolationError
FOREIGN = asyncpg.ForeignKeyViolationError
UNIQUE = asyncpg.UniqueViolationError
HISTORY = asyncpg.RestrictViolationError
TORN = asyncpg.IntegrityConstraintViolationError
DENIED = asyncpg.InsufficientPrivilegeError
QUEUED = "(SELECT id FROM uploads WHERE state = 'queued')"
HELD = "(SELECT id FROM uploads WHERE state = 'working')"
DONE = "(SELECT id FROM uploads WHERE state = 'done')"
END = "finished_at = now()"
DONE_CLEAN = f"state = 'done', outcome = 'clean', {END}"
ATTEMPT = (
    "INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256, "
    f"reserved_microusd) SELECT {QUEUED}, 1, 'x', 'x', sha256('x'), image_sha256, 1 FROM uploads "
    "LIMIT 1"
)

VERDICTS = ("proven", "changed_outside", "not_redacted", "other_picture")
PICTURES = {name: name for name in ("edited_sha256", "thumbnail_sha256")} | {"attempt": "1"}


@dataclass(frozen=True, slots=True)
class World:
    """Three uploads: one queued, one in an attempt, one done, whose picture was kept before."""

    queued: object
    held: object
    done: object


@pytest.fixture
async def world(pool: Pool) -> World:
    """The uploads that the statements are about."""
    held, ended = await claims.claimed(pool, 8), await claims.claimed(pool, 9)
    async with pool.acquire() as conn:
        await claims.succeed(conn, ended)
        await conn.execute("INSERT INTO upstreams (name) VALUES ('scripted')")
        await conn.execute(kept(DONE))
    return World(await driving.queued(pool), held.id, ended.id)


def upload(changes: str, which: str = QUEUED) -> str:
    return f"UPDATE uploads SET {changes} WHERE id = {which}"


def copied(table: str, **columns: str) -> str:
    """Insert a row whose values are those of the one record, or expressions."""
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM records"


def record(upload_id: str, **changes: str) -> str:
    own = {name: name for name in ("description", "outcome", "severity", "rules")}
    return copied("records", **{"upload_id": upload_id} | PICTURES | own | changes)


def kept(upload_id: str, **changes: str) -> str:
    own = {"upload_id": upload_id, "faults": "'{}'", "accused": "false"}
    return copied("kept_edits", **own | PICTURES | changes)


def proof(upload_id: str, **changes: str) -> str:
    own = {"upload_id": upload_id, "attempt": "1", "verdict": "'proven'", "confined": "true"}
    return copied("proofs", **own | {"facts": "'{}'", "heat_sha256": "NULL"} | changes)


def upstream(changes: str) -> str:
    return f"UPDATE upstreams SET {changes} WHERE name = 'scripted'"


REFUSED = {
    # Fail closed.
    "allow while queued": (upload("verdict = 'allow'"), CHECK),
    "allow_edited while working": (upload("verdict = 'allow_edited'", HELD), CHECK),
    "allow of what is violating": (upload("outcome = 'violating', verdict = 'allow'", DONE), CHECK),
    "allow of what was not assessed": (
        upload("outcome = 'not_assessed', verdict = 'allow_edited'", DONE),
        CHECK,
    ),
    "allow of a failure": (
        upload(f"state = 'failed', outcome = 'refused', verdict = 'allow', {END}"),
        CHECK,
    ),
    "allow of a deleted one": (upload(f"state = 'deleted', verdict = 'allow', {END}"), CHECK),
    "unknown verdict": (upload("verdict = 'maybe'"), CHECK),
    "no verdict": (upload("verdict = NULL"), NULL),
    # States.
    "unknown state": (upload("state = 'lost'"), CHECK),
    "outcome while queued": (upload("outcome = 'clean'"), CHECK),
    "outcome while working": (upload("outcome = 'refused'", HELD), CHECK),
    "done without outcome": (upload(f"state = 'done', {END}"), CHECK),
    "failed without outcome": (upload(f"state = 'failed', {END}"), CHECK),
    "done as a failure": (upload("outcome = 'refused'", DONE), CHECK),
    "failed as a success": (upload(f"state = 'failed', outcome = 'clean', {END}"), CHECK),
    "unknown failure": (upload(f"state = 'failed', outcome = 'tired', {END}"), CHECK),
    "done without its time": (upload("finished_at = NULL", DONE), CHECK),
    "queued with a time": (upload(END), CHECK),
    "working that waits": (upload("waiting_for = 'upstream'", HELD), CHECK),
    "negative charges": (upload("charges = -1"), CHECK),
    # Record if and only if done.
    "done without record": (upload(DONE_CLEAN), TORN),
    "record of a queued one": (record(HELD), TORN),
    "failed with record": (
        upload("state = 'failed', outcome = 'refused', verdict = 'hold'", DONE),
        TORN,
    ),
    "done put back into the queue": (
        upload("state = 'queued', outcome = NULL, finished_at = NULL, verdict = 'hold'", DONE),
        TORN,
    ),
    "record deleted, upload done": ("DELETE FROM records", TORN),
    "second record": (record(DONE), UNIQUE),
    "record without attempt": (record(QUEUED), FOREIGN),
    "record without image": (record(HELD, edited_sha256="sha256('none')"), FOREIGN),
    "record of a list": (record(HELD, description="'[]'"), CHECK),
    "record too severe": (record(HELD, severity="5"), CHECK),
    "record without rules": (record(HELD, rules="NULL"), NULL),
    # The ledger.
    "completed attempt changed": (
        f"UPDATE attempts SET cost_microusd = 0 WHERE upload_id = {DONE}",
        HISTORY,
    ),
    "completed attempt opened": (
        (
            "UPDATE attempts SET outcome = NULL, charged = NULL, cost_microusd = NULL, "
            f"finished_at = NULL WHERE upload_id = {DONE}"
        ),
        HISTORY,
    ),
    "attempt half completed": (
        f"UPDATE attempts SET outcome = 'lost' WHERE upload_id = {HELD}",
        CHECK,
    ),
    "attempt at less than nothing": (
        (
            "UPDATE attempts SET outcome = 'lost', charged = true, cost_microusd = -1, "
            f"finished_at = now() WHERE upload_id = {HELD}"
        ),
        CHECK,
    ),
    "same attempt twice": (ATTEMPT.replace(QUEUED, HELD), UNIQUE),
    "attempt zero": (ATTEMPT.replace(", 1, 'x'", ", 0, 'x'"), CHECK),
    "short digest": (ATTEMPT.replace("sha256('x')", "'x'"), CHECK),
    "attempt with an unknown picture": (
        ATTEMPT.replace("image_sha256", "sha256('none')"),
        FOREIGN,
    ),
    "attempt of an unknown kind": (
        f"UPDATE attempts SET kind = 'guess' WHERE upload_id = {HELD}",
        CHECK,
    ),
    # Kept edits.
    "second kept edit": (kept(DONE), UNIQUE),
    "kept edit of an attempt never made": (kept(HELD, attempt="2"), FOREIGN),
    "kept edit without its picture": (kept(HELD, edited_sha256="sha256('none')"), FOREIGN),
    "kept edit without its thumbnail": (kept(HELD, thumbnail_sha256="sha256('none')"), FOREIGN),
    "kept edit without faults": (kept(HELD, faults="NULL"), NULL),
    "picture of an attempt never made": (record(HELD, edit_attempt="2"), FOREIGN),
    # Proofs.
    "second proof": (proof(DONE), UNIQUE),
    "proof of an attempt never made": (proof(HELD, attempt="2"), FOREIGN),
    "proof with an unknown verdict": (proof(HELD, verdict="'likely'"), CHECK),
    "proof without a verdict": (proof(HELD, verdict="NULL"), NULL),
    "proof that does not say if it is confined": (proof(HELD, confined="NULL"), NULL),
    "proof without facts": (proof(HELD, facts="NULL"), NULL),
    "proof of a list": (proof(HELD, facts="'[]'"), CHECK),
    "proof with an unknown map": (proof(HELD, heat_sha256="sha256('none')"), FOREIGN),
    "proof changed": ("UPDATE proofs SET verdict = 'not_redacted'", HISTORY),
    "proof deleted": ("DELETE FROM proofs", HISTORY),
    "proofs emptied": ("TRUNCATE proofs", HISTORY),
    "record with an unknown raw picture": (record(HELD, raw_sha256="sha256('none')"), FOREIGN),
    # Upstreams.
    "down without a reason": (upstream("down_since = now(), probe_at = now()"), CHECK),
    "down without a next probe": (upstream("down_since = now(), down_reason = 'x'"), CHECK),
    "up with a reason": (upstream("down_reason = 'timeout'"), CHECK),
    "slowed at no time": (upstream("slowed_to = 60"), CHECK),
    "slowed to nothing known": (upstream("slowed_at = now()"), CHECK),
    "slowed to a standstill": (upstream("slowed_to = 0.5, slowed_at = now()"), CHECK),
    "fewer failures than none": (upstream("failures = -1"), CHECK),
    "same upstream twice": ("INSERT INTO upstreams (name) VALUES ('scripted')", UNIQUE),
    # The outbox.
    "second terminal callback": (
        (
            "INSERT INTO callbacks (id, upload_id, type, body) "
            f"VALUES (gen_random_uuid(), {DONE}, 'upload.failed', 'x')"
        ),
        UNIQUE,
    ),
    "callback that is too long": (
        (
            "INSERT INTO callbacks (id, upload_id, type, body) "
            f"VALUES (gen_random_uuid(), {QUEUED}, 'x', convert_to(repeat('x', 20000), 'UTF8'))"
        ),
        CHECK,
    ),
    # History.
    "audit changed": ("UPDATE audit SET actor = 'x'", HISTORY),
    "audit deleted": ("DELETE FROM audit", HISTORY),
    "audit emptied": ("TRUNCATE audit", HISTORY),
    "version changed": ("UPDATE ruleset_versions SET prompt = 'x'", HISTORY),
    "version deleted": ("DELETE FROM ruleset_versions", HISTORY),
    "live version unknown": ("UPDATE rulesets SET live_version = 99", FOREIGN),
    # Names and roles.
    "platform with a space": ("INSERT INTO platforms VALUES ('a b')", CHECK),
    "platform in capitals": ("INSERT INTO platforms VALUES ('A')", CHECK),
    "token of nobody": (
        "INSERT INTO tokens (id, sha256, role) VALUES (gen_random_uuid(), sha256('x'), 'platform')",
        CHECK,
    ),
    "moderator of a platform": (
        (
            "INSERT INTO tokens (id, sha256, role, platform) "
            "VALUES (gen_random_uuid(), sha256('x'), 'moderator', 'default')"
        ),
        CHECK,
    ),
    "unknown role": (
        "INSERT INTO tokens (id, sha256, role) VALUES (gen_random_uuid(), sha256('x'), 'king')",
        CHECK,
    ),
    "image without size": ("UPDATE images SET width = 0", CHECK),
    "upload of an unknown version": (upload("version = 99"), FOREIGN),
    "upload of an unknown platform": (upload("platform = 'other'"), FOREIGN),
}
DENIED_TO_THE_APPLICATION = [
    "UPDATE records SET outcome = 'clean'",
    "DELETE FROM records",
    "UPDATE records SET edit_attempt = 1",
    "UPDATE records SET raw_sha256 = NULL",
    "UPDATE proofs SET verdict = 'proven'",
    "UPDATE proofs SET confined = true",
    "UPDATE proofs SET facts = '{}'",
    "DELETE FROM proofs",
    "TRUNCATE proofs",
    "UPDATE kept_edits SET faults = '{}'",
    "UPDATE kept_edits SET edited_sha256 = thumbnail_sha256",
    "DELETE FROM kept_edits",
    "TRUNCATE kept_edits",
    "DELETE FROM uploads",
    "UPDATE uploads SET platform = 'x'",
    "DELETE FROM attempts",
    "UPDATE attempts SET reserved_microusd = 0",
    "UPDATE attempts SET kind = 'edit'",
    "DELETE FROM upstreams",
    "UPDATE callbacks SET body = ''",
    "DELETE FROM callbacks",
    "UPDATE audit SET actor = 'x'",
    "DELETE FROM audit",
    "UPDATE ruleset_versions SET prompt = 'x'",
    "DELETE FROM ruleset_versions",
    "UPDATE images SET data = ''",
    "DELETE FROM images",
    "UPDATE tokens SET role = 'admin'",
    "CREATE TABLE mine ()",
    "DROP TABLE uploads",
    "UPDATE schema_migrations SET version = 0",
]


async def test_owner_cannot_break_the_rules(world: World, owner: Owner) -> None:
    """Each statement is refused by its own kind of constraint, at the latest at commit."""
    assert world.done != world.held != world.queued
    met: dict[str, type[Exception] | None] = {}
    for name, (statement, _) in REFUSED.items():
        transaction = owner.transaction()
        await transaction.start()
        try:
            await owner.execute(statement)
            await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
            met[name] = None
        except asyncpg.PostgresError as error:
            met[name] = type(error)
        await transaction.rollback()
    assert met == {name: kind for name, (_, kind) in REFUSED.items()}


async def test_application_has_no_more_rights_than_it_needs(world: World, pool: Pool) -> None:
    """What must never be changed cannot be changed by the application's role."""
    assert world
    async with pool.acquire() as conn:
        for statement in DENIED_TO_THE_APPLICATION:
            with pytest.raises(DENIED):
                await conn.execute(statement)


async def test_statements_are_refused_for_their_fault_alone(world: World, owner: Owner) -> None:
    """The same statements without the fault pass, so that the table above can really fail."""
    assert world
    for statement in (
        upload(f"state = 'failed', outcome = 'refused', {END}"),
        upload("outcome = 'clean'", DONE),
        upload("waiting_for = 'upstream'"),
        ATTEMPT,
        (
            "UPDATE attempts SET outcome = 'lost', charged = true, cost_microusd = 1, "
            f"finished_at = now() WHERE upload_id = {HELD}"
        ),
        "INSERT INTO platforms VALUES ('a-b')",
        f"UPDATE attempts SET kind = 'description' WHERE upload_id = {HELD}",
        kept(HELD),
        *(proof(HELD, verdict=f"'{verdict}'") for verdict in VERDICTS),
        proof(HELD, heat_sha256="edited_sha256", confined="false"),
        f"{record(HELD, edit_attempt='1', raw_sha256='edited_sha256')}; {upload(DONE_CLEAN, HELD)}",
        upstream("down_since = now(), down_reason = 'timeout', probe_at = now()"),
        upstream("slowed_to = 60, slowed_at = now()"),
    ):
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute(statement)
        await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        await transaction.rollback()
