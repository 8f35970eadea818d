"""What the database itself refuses of reviews: the application's role, and even the owner."""

import asyncpg
import pytest

from service import reusing
from service.store import Conn, Pool
from tests.reviews.people import FAILED, HELD, VIOLATING, People, apply, cases, upload_row
from tests.web.ended import Ended

CLEAN = Ended("clean", "hold")
FORBIDDEN = [
    # Rights that the application's role does not have.
    "UPDATE uploads SET decision = 'allow'",
    "UPDATE uploads SET decision_id = id",
    "UPDATE uploads SET machine_verdict = 'allow'",
    "UPDATE cases SET decision = 'allow', decided_at = now()",
    "UPDATE cases SET revision = 1",
    *(
        f"DELETE FROM {table}"
        for table in ("decisions", "comments", "reveals", "exposures", "bulks", "audit_links")
    ),
    *(f"TRUNCATE {table} CASCADE" for table in ("decisions", "comments", "reveals", "exposures")),
    "UPDATE decisions SET decision = 'allow'",
    "UPDATE decisions SET actor = id",
    "UPDATE decisions SET effective_at = now()",
    "UPDATE decisions SET decided_at = now()",
    "UPDATE comments SET text = 'x'",
    "UPDATE reveals SET until = 'infinity'",
    "UPDATE exposures SET severity = 0",
    "UPDATE audit_head SET number = 0",
    "UPDATE audit_links SET number = 0",
    "INSERT INTO audit_links SELECT * FROM audit_links",
    "INSERT INTO audit (actor, action, subject, at) VALUES ('a', 'b', 'c', '2020-01-01')",
    "SELECT link_audit('{}')",
]
APPEND_ONLY = ("decisions", "comments", "reveals", "exposures", "audit_links")


async def refusal(conn: "Pool | Conn", statement: str) -> str | None:
    """The SQLSTATE with which a statement is refused."""
    try:
        await conn.execute(statement)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    return None


@pytest.fixture
async def filled(people: People, owner: Conn) -> None:
    """A database in which every table of reviews has a row."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.post(f"{upload}/comments", text="x")
    await one.post(f"{upload}/reveal", reason="x")
    await one.caller.ask("GET", f"/v1/uploads/{upload}/images/original")
    await one.post("bulk", decision="block", reason="x", expected=1)


@pytest.mark.usefixtures("filled")
async def test_the_application_may_not_rewrite_reviews(pool: Pool) -> None:
    """The right itself is missing."""
    for statement in FORBIDDEN:
        assert await refusal(pool, statement) == "42501", statement


@pytest.mark.usefixtures("filled")
async def test_not_even_the_owner_rewrites_them(owner: Conn) -> None:
    """Decisions, comments, reveals, exposures and links withstand people's mistakes."""
    for table in APPEND_ONLY:
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") > 0, table
        assert await refusal(owner, f"DELETE FROM {table}") == "23001", table
        assert await refusal(owner, f"TRUNCATE {table} CASCADE") == "23001", table
    for change in ("reason = 'y'", "decision = 'allow'", "effective_at = now()"):
        assert await refusal(owner, f"UPDATE decisions SET {change}") == "23001", change


@pytest.mark.usefixtures("filled")
async def test_a_decision_ends_one_way_and_once(pool: Pool, owner: Conn) -> None:
    """Not applied before it is due, not undone after, not both, not again."""
    assert await refusal(pool, "UPDATE decisions SET applied_at = now()") == "23514"
    both = "UPDATE decisions SET applied_at = effective_at, undone_at = now()"
    assert await refusal(pool, both) == "23514"
    late = "UPDATE decisions SET undone_at = effective_at"
    assert await refusal(pool, late) == "23514"
    await apply(owner, pool)
    for change in ("applied_at = NULL", "undone_at = now()", "applied_at = now()"):
        assert await refusal(pool, f"UPDATE decisions SET {change}") == "23001", change


async def test_no_verdict_opens_without_an_applied_decision(pool: Pool, owner: Conn) -> None:
    """Whatever has ended keeps its verdict, also where the outcome alone would allow it."""
    await cases(owner, VIOLATING, HELD, FAILED, CLEAN)
    for verdict in ("allow", "allow_edited"):
        statement = f"UPDATE uploads SET verdict = '{verdict}'"
        assert await refusal(pool, statement) == "23514", verdict
        for outcome in ("violating", "clean", "refused"):
            one = f"{statement} WHERE outcome = '{outcome}'"
            assert await refusal(pool, one) == "23514", one
    assert await refusal(owner, "UPDATE uploads SET verdict = 'allow'") == "23514"
    half = "UPDATE uploads SET verdict = 'allow', decision = 'allow', machine_verdict = 'hold'"
    assert await refusal(owner, half) == "23514"


async def test_what_a_pending_or_undone_decision_says_opens_nothing(
    people: People, pool: Pool, owner: Conn
) -> None:
    """Only the moment at which it is applied does."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    for _ in range(2):
        await one.decide(upload, "allow")
        assert await refusal(pool, "UPDATE uploads SET verdict = 'allow'") == "23514"
        await one.undo(upload)
    assert await refusal(pool, "UPDATE uploads SET verdict = 'allow'") == "23514"
    assert (await upload_row(owner, upload))["verdict"] == "block"


async def test_a_second_decision_waits_for_the_first(
    people: People, pool: Pool, owner: Conn
) -> None:
    """The index allows one that may still be undone, whoever writes."""
    one = await people.moderator("one")
    (upload,) = await cases(owner, VIOLATING)
    await one.decide(upload, "block")
    again = """
        INSERT INTO decisions (id, upload_id, decision, actor, effective_at)
        SELECT gen_random_uuid(), upload_id, 'allow', actor, effective_at FROM decisions
    """

    assert await refusal(pool, again) == "23505"


async def test_who_follows_a_leader_gets_the_machines_verdict(
    people: People, pool: Pool, owner: Conn
) -> None:
    """What a person decided of one upload is not copied to another of the same bytes."""
    one = await people.moderator("one")
    (leader,) = await cases(owner, VIOLATING)
    await owner.execute("UPDATE uploads SET leads = true WHERE id = $1", leader)
    await one.decide(leader, "allow")
    await apply(owner, pool)
    follower = await owner.fetchval(
        """
        INSERT INTO uploads (id, platform, image_sha256, ruleset, version, waiting_for, due_at)
        SELECT gen_random_uuid(), platform, image_sha256, ruleset, version, 'reuse', 'infinity'
          FROM uploads RETURNING id
        """
    )
    async with pool.acquire() as conn:
        await reusing.settle(conn, "https://example.org")

    row = await upload_row(owner, follower)
    assert (row["verdict"], row["decision"]) == ("block", None)
