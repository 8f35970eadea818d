"""A database in which everything has happened once, through the service itself."""

from collections.abc import Callable
from uuid import UUID

from service.store import Pool
from tests import draw
from tests.conftest import Api
from tests.flows.driving import TEAL, Owner
from tests.reviews import people
from tests.upstream import Upstream, described, error, finding

_ENDPOINT = """
    INSERT INTO endpoints (id, platform, url, events, secrets, created_at)
    VALUES (gen_random_uuid(), 'default', 'https://example.org/hook',
            '{upload.described,upload.failed,upload.decided}', '{whsec_dGVzdA==}',
            now() - interval '1 hour')
"""
_BUDGET = "INSERT INTO budgets (scope, period, limit_microusd) VALUES ('global', 'day', 1000000000)"


async def fill(
    api: Api, upstream: Upstream, owner: Owner, pool: Pool, stop_work: Callable[[], None]
) -> None:
    """Make one upload that is redacted and decided, one reused, refused, queued and fetched."""
    await owner.execute(_ENDPOINT)
    await owner.execute(_BUDGET)
    upstream.script = [described(findings=[finding("bystander-faces")])]
    first = await api.platform.upload(TEAL, Idempotency_Key="one")
    await api.platform.upload_until(first["id"], ("done",))
    same = await api.platform.upload(TEAL)
    await api.platform.upload_until(same["id"], ("done",))
    upstream.script = [error(400, "moderation_blocked")]
    refused = await api.platform.upload(draw.png(64, 48, "red"))
    await api.platform.upload_until(refused["id"], ("failed",))
    await _decide(api, owner, pool, UUID(first["id"]))
    stop_work()
    await api.platform.upload(draw.png(64, 48, "blue"))
    status, body, _ = await api.platform.ask(
        "POST", "/v1/uploads", json={"image_url": "https://example.org/a.png"}
    )
    assert status == 202, body


async def _decide(api: Api, owner: Owner, pool: Pool, upload: UUID) -> None:
    ada = await people.People(api, pool).moderator("Ada")
    status, answer = await ada.decide(upload, "block", "It shows a card.")
    assert status == 201, answer
    assert await people.apply(owner, pool) == 1
