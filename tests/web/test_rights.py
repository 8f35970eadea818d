"""What the database itself refuses: the application's role, and even the tables' owner."""

import asyncpg
import pytest

from service.store import Conn, Pool
from tests.conftest import Api
from tests.web import ended
from tests.web.ended import Ended

DONE = Ended("violating", "block", rules=("weapons",), severity=4)
FOREVER = ("audit", "ruleset_versions", "callbacks", "records", "attempts", "images", "platforms")
FORBIDDEN = [
    *(f"DELETE FROM {table}" for table in (*FOREVER, "uploads", "tokens", "rulesets")),
    *(f"TRUNCATE {table} CASCADE" for table in FOREVER),
    "UPDATE audit SET actor = 'somebody else'",
    "UPDATE ruleset_versions SET prompt = ''",
    "UPDATE callbacks SET body = ''",
    "UPDATE records SET description = '{}'",
    "UPDATE records SET outcome = 'clean', severity = 0",
    "UPDATE images SET data = ''",
    "UPDATE attempts SET model = 'another'",
    "UPDATE attempts SET prompt_sha256 = sha256('')",
    "UPDATE attempts SET started_at = now()",
    "UPDATE uploads SET platform = 'other'",
    "UPDATE uploads SET version = 2",
    "UPDATE uploads SET received_at = now()",
    "UPDATE tokens SET role = 'admin'",
    "UPDATE tokens SET sha256 = sha256('known')",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON audit",
    "CREATE TABLE mine (a integer)",
    "DROP TABLE uploads",
]


async def refusal(conn: "Pool | Conn", statement: str) -> str | None:
    """The SQLSTATE with which a statement is refused: 42501 no right, 23001 by a trigger."""
    try:
        await conn.execute(statement)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    return None


@pytest.fixture
async def filled(api: Api, owner: Conn) -> None:
    """A database in which every table that must not change has a row."""
    assert api.url
    upload = await ended.add(owner, DONE)
    await owner.execute(
        """
        INSERT INTO callbacks (id, upload_id, type, body)
        VALUES ($1, $1, 'upload.described', '{}')
        """,
        upload,
    )


@pytest.mark.usefixtures("filled")
async def test_the_application_may_not_rewrite_what_happened(pool: Pool) -> None:
    """The right itself is missing, so no fault in the code can take it."""
    for statement in FORBIDDEN:
        assert await refusal(pool, statement) == "42501", statement


@pytest.mark.usefixtures("filled")
async def test_an_attempt_is_completed_once(pool: Pool) -> None:
    """The columns that completion writes are open to the application, but not a second time."""
    for change in ("cost_microusd = 0", "outcome = 'refused'", "detail = 'x'", "charged = false"):
        assert await refusal(pool, f"UPDATE attempts SET {change}") == "23001", change


@pytest.mark.usefixtures("filled")
async def test_not_even_the_owner_rewrites_history(owner: Conn) -> None:
    """Audit entries, ruleset versions and completed attempts withstand people's mistakes."""
    for statement in (
        "UPDATE audit SET actor = 'somebody else'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE ruleset_versions SET prompt = ''",
        "DELETE FROM ruleset_versions",
        "TRUNCATE ruleset_versions CASCADE",
        "TRUNCATE attempts CASCADE",
        "UPDATE attempts SET cost_microusd = 0",
    ):
        assert await refusal(owner, statement) == "23001", statement
