"""What the tests of money share: uploads of any tenant, attempts by hand, the books compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from service import budgeting, entering
from service.intake import Accepted, Intake, Received
from service.pictures import headers
from service.store import Conn, Pool, attempts, images, platforms, uploads
from tests import draw
from tests.conftest import PRICE, configured
from tests.flows.driving import Owner

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
# Written in another way than the trigger does it, so that both would have to be wrong alike.
_DIFFERENCES = """
    WITH calls AS (
        SELECT a.*, u.platform, u.ruleset, a.started_at AT TIME ZONE 'UTC' AS at
          FROM attempts AS a JOIN uploads AS u ON u.id = a.upload_id),
    scoped AS (
        SELECT 'global' AS scope, calls.* FROM calls
         UNION ALL SELECT 'platform:' || platform, calls.* FROM calls
         UNION ALL SELECT 'ruleset:' || ruleset, calls.* FROM calls),
    dated AS (
        SELECT 'day' AS period, at::date AS starts_on, scoped.* FROM scoped
         UNION ALL SELECT 'month', make_date(extract(year FROM at)::int,
                                             extract(month FROM at)::int, 1), scoped.* FROM scoped),
    owed AS (
        SELECT scope, period, starts_on, sum(coalesce(cost_microusd, 0)) AS spent,
               sum(CASE WHEN finished_at IS NULL THEN reserved_microusd ELSE 0 END) AS reserved
          FROM dated GROUP BY scope, period, starts_on)
    SELECT scope, period, starts_on, spent, spent_microusd, reserved, reserved_microusd
      FROM owed FULL JOIN spending USING (scope, period, starts_on)
     WHERE (coalesce(spent, 0), coalesce(reserved, 0))
           <> (coalesce(spent_microusd, 0), coalesce(reserved_microusd, 0))
"""
_USED = """
    SELECT spent_microusd, reserved_microusd FROM spending
     WHERE scope = $1 AND period = $2 ORDER BY starts_on
"""
_UPLOAD = """
    INSERT INTO uploads (id, platform, image_sha256, ruleset, version, state, outcome, attempt,
                         finished_at)
    VALUES ($1, $2, $3, $4, 1, 'failed', 'exhausted', 1, now())
"""
_CALL = """
    INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                          reserved_microusd, started_at, outcome, charged, cost_microusd,
                          finished_at)
    VALUES ($1, 1, 'scripted', $2, sha256('prompt'), $3, 58000, $4, $5, $6, $7, $8)
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One row of a ledger made by hand; ``outcome`` None is a call under way."""

    at: datetime
    outcome: str | None
    cost: int | None
    platform: str = "default"
    ruleset: str = "privacy"
    model: str = "a-model"


async def write(owner: Owner, calls: Sequence[Call]) -> None:
    """Write a ledger: an upload and its one attempt for each call."""
    picture = images.Image(bytes(32), "image/png", 8, 8, 1, b"picture")
    await images.add(owner, picture)
    for call in calls:
        upload, ended = uuid4(), call.outcome is not None
        await platforms.add(owner, call.platform)
        await owner.execute(_UPLOAD, upload, call.platform, picture.sha256, call.ruleset)
        await owner.execute(
            _CALL,
            upload,
            call.model,
            picture.sha256,
            call.at,
            call.outcome,
            True if ended else None,
            call.cost,
            call.at if ended else None,
        )


async def queued(
    pool: Pool, count: int = 1, *, platform: str = "default", ruleset: str = "privacy"
) -> list[UUID]:
    """Commit uploads of a platform as the API does, each of a picture of its own."""
    async with pool.acquire() as conn:
        await platforms.add(conn, platform)
        # The same picture is queued again by the next call, and is to be paid for again.
        await conn.execute("UPDATE platforms SET reuse = false WHERE name = $1", platform)
    intake = Intake(pool, headers.Limits(), "privacy", "https://example.org")
    found = []
    for index in range(1, count + 1):
        received = Received(draw.png(8, index, "teal"), ruleset, None, {})
        accepted = await intake.accept(platform, received, key=None, answer=lambda _: "")
        assert isinstance(accepted, Accepted)
        found.append(accepted.upload.id)
    return found


async def claimed(
    pool: Pool, *, platform: str = "default", ruleset: str = "privacy"
) -> uploads.Claim:
    """Queue an upload and claim it, as a worker does."""
    await queued(pool, platform=platform, ruleset=ruleset)
    async with pool.acquire() as conn:
        (claim,) = await uploads.claim(conn, 1, MINUTE)
    return claim


async def enter(
    conn: Conn,
    claim: uploads.Claim,
    *,
    now: datetime | None = None,
    price: int = PRICE,
    per_minute: int | None = None,
) -> bool:
    """Enter the attempt of a claim, as a worker does before the call."""
    attempt = attempts.Attempt(
        upload_id=claim.id,
        attempt=claim.attempt,
        upstream="scripted",
        model="model",
        prompt_sha256=bytes(32),
        sent_sha256=claim.image_sha256,
        reserved_microusd=price,
        price_version="configured",
    )
    upstream = configured(
        "http://127.0.0.1:1", price_microusd=price, requests_per_minute=per_minute
    )
    return await entering.enter(conn, claim, upstream, attempt, now=now) is None


async def used(
    conn: "Conn | Pool", scope: str = "global", period: str = "day"
) -> list[tuple[int, int]]:
    """Read what is spent and reserved, a pair for each period there is, the earliest first."""
    return [(row[0], row[1]) for row in await conn.fetch(_USED, scope, period)]


async def check(conn: "Conn | Pool") -> None:
    """Check that the books are the sums over the ledger, for every scope and period."""
    assert [dict(row) for row in await conn.fetch(_DIFFERENCES)] == []


async def put(pool: Pool, scope: str, period: str, limit: int) -> int:
    """Set a budget that warns at 0.8; tell how many uploads were woken."""
    async with pool.acquire() as conn:
        return await budgeting.put(conn, scope, period, limit, 0.8)


async def audited(pool: Pool) -> list[str]:
    """Read which acts on budgets stand in the audit trail, in order."""
    rows = await pool.fetch("SELECT action FROM audit WHERE action LIKE 'budget.%' ORDER BY id")
    return [row["action"] for row in rows]
