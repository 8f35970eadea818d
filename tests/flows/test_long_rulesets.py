"""A ruleset of 100,000 tokens goes through the whole service as it was written."""

import hashlib

import pytest

from service import publishing
from service.pictures.pool import Decoders
from service.policy import rulesets, tokens
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import Api, configured
from tests.flows import driving
from tests.policy.documents import long_source
from tests.upstream import Upstream, described, finding

# Characters; the prompt made of it has about 400,000.
LENGTH = 415_000


@pytest.mark.parametrize("dialect", ["gemini", "openai-images"])
async def test_long_ruleset_arrives_byte_for_byte(
    dialect: str, api: Api, upstream: Upstream, pool: Pool, where: Database, decoders: Decoders
) -> None:
    """The endpoint is sent the stored prompt whole, and the picture is judged by its last rule."""
    source = long_source(LENGTH)
    async with pool.acquire() as conn:
        await publishing.publish(conn, rulesets.parse(source), source, "somebody")
    upstream.script = [described(findings=[finding("rule-99")])]
    one = configured(upstream.url, dialect=dialect)
    async with driving.worker(pool, where, decoders, one):
        accepted = await api.platform.upload(draw.png(64, 48, "teal"), "?ruleset=long")
        done = await api.platform.upload_until(accepted["id"], ("done", "failed"))

    (call,) = upstream.calls
    assert (done["outcome"], done["verdict"]) == ("redacted", "allow_edited")
    assert len(call.prompt) > 400_000
    sent = call.prompt.encode()
    stored = await pool.fetchrow(
        "SELECT prompt, prompt_sha256 FROM ruleset_versions WHERE ruleset = 'long'"
    )
    assert stored is not None
    assert sent == stored["prompt"].encode()
    assert hashlib.sha256(sent).digest() == stored["prompt_sha256"]
    assert await pool.fetchval("SELECT prompt_sha256 FROM attempts") == stored["prompt_sha256"]


async def test_long_ruleset_is_not_sent_where_it_does_not_fit(
    api: Api, upstream: Upstream, pool: Pool, where: Database, decoders: Decoders
) -> None:
    """An upstream that got a smaller context is not asked; the upload waits for one that fits."""
    source = long_source(LENGTH)
    ruleset = rulesets.parse(source)
    async with pool.acquire() as conn:
        await publishing.publish(conn, ruleset, source, "somebody")
    fits = publishing.check(ruleset, ()).tokens + tokens.IMAGE_TOKENS
    accepted = await api.platform.upload(draw.png(64, 48, "teal"), "?ruleset=long")
    address = f"/v1/uploads/{accepted['id']}"

    async def waits() -> bool:
        _, body, _ = await api.platform.ask("GET", address)
        return bool(body["waiting_for"] == "upstream")

    small = configured(upstream.url, context_tokens=fits - 1)
    async with driving.worker(pool, where, decoders, small):
        await driving.until(waits, "the upload waits for an upstream")
    assert upstream.calls == []
    assert await pool.fetchval("SELECT count(*) FROM attempts") == 0

    async with (
        driving.worker(pool, where, decoders, configured(upstream.url, context_tokens=fits)),
        pool.acquire() as conn,
    ):
        await driving.hurry(conn)
        await api.platform.upload_until(accepted["id"], ("done",))
    assert len(upstream.calls) == 1
