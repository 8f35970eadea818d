"""The invariants: none is broken by what the service does, and each check finds what breaks it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import pytest

from service.store import Conn, Pool, invariants
from service.store.invariants import Violation
from tests import draw
from tests.conftest import Api
from tests.flows.driving import Owner
from tests.upstream import Upstream, described, error

Look: TypeAlias = Callable[[Conn], Awaitable[list[Violation]]]
EVERYTHING = [check.name for check in (*invariants.CHECKS, *invariants.WARNINGS)]
FIRST = "(SELECT upload_id FROM decisions)"
REUSED = "(SELECT id FROM uploads WHERE reused_from IS NOT NULL)"
REFUSED = "(SELECT id FROM uploads WHERE state = 'failed')"
QUEUED = "(SELECT id FROM uploads WHERE state = 'queued' AND waiting_for IS NULL)"
LONG_AGO = "now() - interval '1 hour'"
TOLD = "type IN ('upload.described', 'upload.failed')"
ATTEMPT = (
    "INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,"
    " reserved_microusd, kind) SELECT upload_id, attempt + {beyond}, upstream, model,"
    " prompt_sha256, sent_sha256, 0, kind FROM attempts"
)


def upload(changes: str, which: str) -> str:
    return f"UPDATE uploads SET {changes} WHERE id = {which}"


def of_upload(table: str, changes: str, which: str = FIRST) -> str:
    return f"UPDATE {table} SET {changes} WHERE upload_id = {which}"


def without(table: str, where: str) -> str:
    return f"DELETE FROM {table} WHERE {where}"


# The name of a check to statements that break what it says, each alone.
BREAKS = {
    "done_has_record": (
        without("records", f"upload_id = {FIRST}"),
        upload("state = 'failed', outcome = 'refused'", FIRST),
    ),
    "outcomes_agree": (of_upload("records", "outcome = 'clean'"),),
    "has_image": (upload("image_sha256 = NULL", QUEUED),),
    "images_stored": (
        without(
            "images", f"sha256 = (SELECT edited_sha256 FROM records WHERE upload_id = {FIRST})"
        ),
        without("images", f"sha256 = (SELECT image_sha256 FROM uploads WHERE id = {QUEUED})"),
        without("images", "sha256 IN (SELECT heat_sha256 FROM proofs)"),
    ),
    "fetch_open": (
        "UPDATE fetches SET ended_at = now()",
        "UPDATE uploads SET waiting_for = NULL WHERE waiting_for = 'fetch'",
    ),
    "described_by": (
        of_upload("attempts", "outcome = 'no_image'"),
        upload("attempt = attempt + 1", FIRST),
    ),
    "sent_canonical": (of_upload("attempts", "sent_sha256 = sha256('another')"),),
    "prompt_sent": (of_upload("attempts", "prompt_sha256 = sha256('another')"),),
    "prompt_digest": ("UPDATE ruleset_versions SET prompt = prompt || '.'",),
    "reused_alike": (
        of_upload("records", "description = '{}'", REUSED),
        upload("image_sha256 = sha256('another')", REUSED),
    ),
    "fail_closed": (upload("verdict = 'allow'", REFUSED), upload("verdict = 'block'", QUEUED)),
    "decided_by": (
        upload("verdict = 'allow'", FIRST),
        upload("decision_id = gen_random_uuid()", FIRST),
        "UPDATE decisions SET applied_at = NULL",
    ),
    "deleted_empty": (upload("state = 'deleted'", FIRST),),
    "one_platform": (
        "UPDATE idempotency_keys SET platform = 'another'",
        (
            "INSERT INTO hook_events (platform, preset, event_id, upload_id)"
            f" VALUES ('another', 's3', '1', {FIRST})"
        ),
    ),
    "key_answers": ('UPDATE idempotency_keys SET body = \'{"id": "another"}\'',),
    "told_once": (
        without("callbacks", f"upload_id = {REUSED}"),
        (
            "INSERT INTO callbacks (id, upload_id, type, body)"
            f" SELECT gen_random_uuid(), upload_id, 'upload.failed', body FROM callbacks"
            f" WHERE upload_id = {FIRST} AND {TOLD}"
        ),
    ),
    "not_early": (of_upload("callbacks", f"upload_id = {QUEUED}", REUSED),),
    "body_agrees": (
        of_upload(
            "callbacks",
            "body = convert_to(replace(convert_from(body, 'UTF8'), 'redacted', 'clean'), 'UTF8')",
        ),
        of_upload("callbacks", r"body = '\xff'"),
        of_upload("callbacks", "upload_id = " + REFUSED, REUSED),
        f"UPDATE callbacks SET type = 'upload.failed' WHERE upload_id = {FIRST} AND {TOLD}",
    ),
    "decision_told": (without("callbacks", "type = 'upload.decided'"),),
    "queued_for_each": (without("delivery_jobs", "true"),),
    "delivered_by_try": (
        (
            "WITH tried AS (INSERT INTO deliveries"
            " (callback_id, endpoint, attempt, url, finished_at, error) SELECT"
            " callback_id, endpoint, 1, '', now(), 'HTTP 500' FROM delivery_jobs)"
            " UPDATE delivery_jobs SET attempt = 1, state = 'delivered'"
        ),
        (
            "INSERT INTO deliveries (callback_id, endpoint, attempt, url)"
            " SELECT callback_id, endpoint, 1, '' FROM delivery_jobs"
        ),
    ),
    "charged": (
        (
            "INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,"
            " reserved_microusd, charged) SELECT upload_id, attempt + n, upstream, model,"
            " prompt_sha256, sent_sha256, 0, true FROM attempts, generate_series(1, 6) AS n"
        ),
    ),
    "fenced": (ATTEMPT.format(beyond=1),),
    "open": (
        of_upload("attempts", "finished_at = NULL"),
        upload("state = 'queued'", "ANY (SELECT upload_id FROM attempts)")
        + "; UPDATE attempts SET finished_at = NULL",
    ),
    "completed_whole": (of_upload("attempts", "charged = NULL"),),
    "reused_free": (of_upload("attempts", f"upload_id = {REUSED}"),),
    "spending": (
        "UPDATE spending SET spent_microusd = spent_microusd + 1 WHERE scope = 'global'",
        of_upload("attempts", "cost_microusd = cost_microusd + 1"),
        without("spending", "period = 'day'"),
    ),
    "ceiling": (upload("max_cost_microusd = 1", FIRST),),
    "cases": (
        without("cases", f"upload_id = {FIRST}"),
        upload("state = 'queued'", REFUSED),
    ),
    "cases_agree": (of_upload("cases", "verdict = 'hold'"), of_upload("cases", "rank = 0")),
    "cases_decided": (of_upload("cases", "decision = 'allow'"),),
    "words": (without("case_words", f"upload_id = {FIRST}"),),
    "counts": (
        "UPDATE case_counts SET cases = cases + 1",
        without("case_counts", "true"),
    ),
    "rule_counts": ("UPDATE rule_counts SET cases = cases - 1",),
    "lease_lapsed": (upload(f"state = 'working', due_at = {LONG_AGO}", QUEUED),),
    "passed_over": (upload(f"due_at = {LONG_AGO}", QUEUED),),
    "follows_nobody": (
        upload(f"waiting_for = 'reuse', leads = false, received_at = {LONG_AGO}", QUEUED),
    ),
    "not_fetched": (f"UPDATE fetches SET due_at = {LONG_AGO}",),
    "not_delivered": (f"UPDATE delivery_jobs SET due_at = {LONG_AGO}",),
    "not_applied": (f"UPDATE decisions SET applied_at = NULL, effective_at = {LONG_AGO}",),
    "orphans": (
        (
            "INSERT INTO images (sha256, mime, width, height, data, created_at)"
            f" VALUES (sha256('lost'), 'image/png', 1, 1, 'lost', {LONG_AGO})"
        ),
    ),
    "over_budget": ("UPDATE budgets SET limit_microusd = 1",),
}
# What a reader must never see, by the words of the rule's beginning.
TEARS = {
    "done without": without("records", f"upload_id = {FIRST}"),
    "a record without": of_upload("records", "thumbnail_sha256 = sha256('none')"),
    "an image": upload("image_sha256 = sha256('none')", QUEUED),
    "an end that is not told": without("callbacks", f"upload_id = {REUSED}"),
    "an end that is not shown": without("cases", f"upload_id = {REUSED}"),
    "an end with an open": of_upload("attempts", "finished_at = NULL"),
    "an answer": of_upload("attempts", "outcome = 'no_image'"),
}


DISARM = """
    DO $$
    DECLARE
        one record;
    BEGIN
        FOR one IN SELECT conrelid::regclass AS of, conname FROM pg_constraint
                    WHERE contype = 'c' AND connamespace = 'public'::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.of, one.conname);
        END LOOP;
        DROP INDEX callbacks_one_terminal;
    END $$
"""


async def _found(conn: Owner, statement: str, look: Look) -> set[str]:
    """Break something, tell which rules are found broken, and take it back."""
    transaction = conn.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        await conn.execute(statement)
        return {one.rule for one in await look(conn)}
    finally:
        await transaction.rollback()


@pytest.fixture
async def disarmed(filled: None, pool: Pool, superuser: Owner) -> Owner:  # noqa: ARG001  # it comes first
    """A database that the service filled, without a violation; it refuses nothing any more."""
    async with pool.acquire() as conn:
        assert await invariants.violations(conn, names=EVERYTHING) == []
        assert await invariants.torn(conn) == []
    await superuser.execute(DISARM)
    return superuser


async def test_each_check_finds_what_breaks_it(disarmed: Owner) -> None:
    """Every check finds each of its breaks, in a database where it found nothing before."""

    async def look(conn: Conn) -> list[Violation]:
        return await invariants.violations(conn, names=EVERYTHING)

    missed = [
        (name, statement, found)
        for name, statements in BREAKS.items()
        for statement in statements
        if name not in (found := await _found(disarmed, statement, look))
    ]
    assert missed == []
    assert sorted(BREAKS) == sorted(EVERYTHING)


async def test_a_tear_is_seen_at_once(disarmed: Owner) -> None:
    """The cheap question finds each thing that no reader may ever see."""
    missed = []
    for rule, statement in TEARS.items():
        found = await _found(disarmed, statement, invariants.torn)
        if not any(one.startswith(rule) for one in found):
            missed.append((rule, found))
    assert missed == []


@pytest.mark.usefixtures("working")
async def test_no_alarm_while_uploads_flow(api: Api, upstream: Upstream, pool: Pool) -> None:
    """Uploads come, are described, refused, repeated and reused: asked all along, all holds."""
    pictures = [draw.png(64, height, "teal") for height in range(1, 16)] * 2
    answers = [described(), error(400, "moderation_blocked"), described(), error(503, "busy")]
    upstream.script = answers * 8
    sending = asyncio.create_task(_send(api, pictures))
    asked = 0
    async with pool.acquire() as conn:
        while not sending.done():
            assert await invariants.torn(conn) == []
            assert await invariants.violations(conn) == []
            asked += 1
        await sending
        assert await invariants.violations(conn, names=EVERYTHING) == []
    assert asked > 1


async def _send(api: Api, pictures: Sequence[bytes]) -> None:
    sent = [await api.platform.upload(picture) for picture in pictures]
    for one in sent:
        await api.platform.upload_until(one["id"], ("done", "failed"))


@pytest.mark.usefixtures("filled")
async def test_what_is_deleted_breaks_nothing(api: Api, pool: Pool) -> None:
    """Uploads in every state are deleted, one after the other, and all else goes on to hold."""
    async with pool.acquire() as conn:
        order = "SELECT id FROM uploads ORDER BY reused_from IS NOT NULL, id"
        for upload in [row["id"] for row in await conn.fetch(order)]:
            status, body, _ = await api.platform.ask("DELETE", f"/v1/uploads/{upload}")
            assert status == 204, body
            assert await invariants.torn(conn) == []
            assert await invariants.violations(conn, names=EVERYTHING) == []
        assert await conn.fetchval("SELECT count(*) FROM records") == 0


async def test_checks_are_chosen_by_name(pool: Pool) -> None:
    """One check runs alone, and a name that there is not is refused with those there are."""
    ran: list[str] = []
    async with pool.acquire() as conn:
        await invariants.violations(conn, names=["spending"], checked=lambda c: ran.append(c.name))
        with pytest.raises(LookupError, match="no check nonsense; there are done_has_record, "):
            await invariants.violations(conn, names=["spending", "nonsense"])
    assert ran == ["spending"]
