"""What the database itself refuses of platforms, tokens and quotas, whoever writes."""

import asyncpg
import pytest

from service.store import Pool
from tests.conftest import Api
from tests.constraints import CHECK, DENIED, FOREIGN, UNIQUE, check_allowed, check_refused
from tests.flows.driving import Owner

NULL = asyncpg.NotNullViolationError
DAY = "INSERT INTO intake_days (platform, day, uploads, bytes) VALUES ('{}', '2026-11-22', 1, {})"


def platform(changes: str) -> str:
    return f"UPDATE platforms SET {changes} WHERE name = 'default'"


def tokens(changes: str) -> str:
    return f"UPDATE tokens SET {changes}"


REFUSED = {
    "a default ruleset that is none": (platform("default_ruleset = 'none-such'"), FOREIGN),
    "a rate of nothing": (platform("max_requests_per_s = 0"), CHECK),
    "a rate without end": (platform("max_requests_per_s = 'infinity'"), CHECK),
    "a rate that is no number": (platform("max_requests_per_s = 'nan'"), CHECK),
    "uploads below none": (platform("max_uploads_per_day = -1"), CHECK),
    "bytes below none": (platform("max_bytes_per_day = -1"), CHECK),
    "no revision": (platform("revision = NULL"), NULL),
    "a token with no scope": (tokens("scopes = '{}'"), CHECK),
    "a token without a name": (tokens("name = ''"), CHECK),
    "a token with a long name": (tokens("name = repeat('x', 201)"), CHECK),
    "a day of nobody's": (DAY.format("nobody", 1), FOREIGN),
    "a day twice": (f"{DAY.format('default', 1)}; {DAY.format('default', 1)}", UNIQUE),
    "a day without bytes": (DAY.format("default", "NULL"), NULL),
    "a rate's time of none": (
        "INSERT INTO request_rates (platform, next_at) VALUES ('default', NULL)",
        NULL,
    ),
}
ALLOWED = (
    platform("default_ruleset = 'privacy', max_requests_per_s = 0.001, max_uploads_per_day = 0"),
    platform("max_bytes_per_day = 0, revision = revision + 1"),
    tokens("scopes = '{uploads:write}', name = 'x', expires_at = now()"),
    DAY.format("default", 1),
)
DENIALS = (
    "DELETE FROM intake_days",
    "DELETE FROM request_rates",
    "UPDATE tokens SET scopes = NULL",
)


@pytest.mark.usefixtures("api")
async def test_what_a_platform_may_use_cannot_be_nonsense(owner: Owner) -> None:
    """Each statement is refused by its own kind of constraint."""
    await check_refused(owner, REFUSED)


async def test_statements_are_refused_for_their_fault_alone(api: Api, owner: Owner) -> None:
    """Those without a fault pass, so that the table above can really fail."""
    assert (await api.platform.ask("GET", "/v1/platforms"))[0] == 200
    await check_allowed(owner, ALLOWED)


async def test_the_application_may_not_rewrite_what_was_used(pool: Pool) -> None:
    """What was counted is not forgotten, and no token gets more scopes than it was made with."""
    for statement in DENIALS:
        with pytest.raises(DENIED):
            await pool.execute(statement)
