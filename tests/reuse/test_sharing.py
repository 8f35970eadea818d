"""What uploads of the same picture share, from whom, and what each has of its own."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from service import ids, publishing
from service.pictures.pool import Decoders
from service.store import Pool, platforms, uploads
from service.store.database import Database
from tests import draw, reuse
from tests.conftest import Api, configured
from tests.flows import claims, driving
from tests.flows.driving import TEAL, Owner
from tests.policy.documents import make_ruleset
from tests.upstream import Upstream, described, error, finding

OWN = ("id", "external_id", "received_at", "finished_at", "attempts", "images", "reused_from")


async def test_each_gets_the_first_ones_result(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """Those that waited and one that comes later show it whole, and one call is paid for."""
    upstream.script = [described(findings=[finding("bystander-faces")])]
    first, *others = await reuse.several(pool, 3)
    assert (await reuse.shown(pool, others[0]))["waiting_for"] == "reuse"
    async with driving.worker(pool, where, decoders, configured(upstream.url)):
        await driving.ended(owner, first, *others)
        others.append(await driving.queued(pool, external_id="later"))

    source = await reuse.shown(pool, first)
    assert (source["state"], source["reused_from"]) == ("done", None)
    assert source["proof"]
    assert source["description"]["findings"]
    for other in others:
        copy = await reuse.shown(pool, other)
        assert (copy["reused_from"], copy["attempts"]) == (str(first), [])
        assert [name for name in source if source[name] != copy[name]] == [
            name for name in source if name in OWN
        ]
        assert {name for name, link in copy["images"].items() if link} == {
            name for name, link in source["images"].items() if link
        }
        told = await driving.message_of(owner, other)
        assert (told["data"]["severity"], told["data"]["rules"]) == (2, ["bystander-faces"])
    await reuse.check_paid_once(owner, upstream.calls)


async def test_pictures_of_a_copy_are_served(
    api: Api, pool: Pool, where: Database, upstream: Upstream, decoders: Decoders
) -> None:
    """Every link of a copy gives the bytes that the first one's gives; the list shows both."""
    async with driving.worker(pool, where, decoders, configured(upstream.url)):
        first = await api.platform.upload(TEAL)
        await api.platform.upload_until(first["id"], ("done",))
    second = await api.platform.upload(TEAL)

    assert (second["state"], second["reused_from"]) == ("done", first["id"])
    links = {name: link for name, link in second["images"].items() if link}
    assert {"original", "edited", "thumbnail", "heat"} == set(links)
    for name, link in links.items():
        copied = await api.platform.ask("GET", link)
        assert copied[0] == 200
        own = await api.platform.ask("GET", f"/v1/uploads/{first['id']}/images/{name}")
        assert copied[1] == own[1]
    _, page, _ = await api.moderator.ask("GET", "/v1/records")
    assert [item["id"] for item in page["items"]] == [second["id"], first["id"]]
    assert {name: page["items"][0][name] for name in second} == second


async def test_a_repeated_key_repeats_the_copy(api: Api, pool: Pool, owner: Owner) -> None:
    """The first answer under a key may show a result already; it is replayed as it was."""
    claim = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
    headers = {"Idempotency-Key": "order-1", "Content-Type": "image/png"}

    first = await api.platform.ask("POST", "/v1/uploads", data=TEAL, headers=headers)
    second = await api.platform.ask("POST", "/v1/uploads", data=TEAL, headers=headers)

    assert (first[0], first[1]["state"], first[1]["reused_from"]) == (202, "done", str(claim.id))
    assert second[:2] == first[:2]
    assert await owner.fetchval("SELECT count(*) FROM uploads") == 2


async def test_a_refusal_is_shared(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """A model that refused a picture is not asked again, whoever waits or comes later."""
    upstream.script = [error(400, "moderation_blocked")]
    first, *others = await reuse.several(pool, 3)
    async with driving.worker(pool, where, decoders, configured(upstream.url)):
        await driving.ended(owner, first, *others)
        await driving.queued(pool)

    assert await reuse.ends(owner) == {
        ("failed", "refused", False): 1,
        ("failed", "refused", True): 3,
    }
    assert len(upstream.calls) == 1
    await reuse.check_told_once(owner)


async def other_picture(pool: Pool, _: Owner) -> UUID:
    return await driving.queued(pool, draw.png(64, 48, "navy"))


async def other_ruleset(pool: Pool, _: Owner) -> UUID:
    return await driving.queued(pool, ruleset="marketplace")


async def new_version(pool: Pool, _: Owner) -> UUID:
    ruleset = make_ruleset(faces="hold").model_copy(update={"name": "privacy"})
    async with pool.acquire() as conn:
        await publishing.publish(conn, ruleset, "", "somebody")
    return await driving.queued(pool)


async def switched_off(pool: Pool, owner: Owner) -> UUID:
    await owner.execute("UPDATE platforms SET reuse = false WHERE name = 'default'")
    return await driving.queued(pool)


async def first_deleted(pool: Pool, owner: Owner) -> UUID:
    await reuse.delete(owner, await owner.fetchval("SELECT id FROM uploads"))
    return await driving.queued(pool)


@pytest.mark.parametrize(
    "second", [other_picture, other_ruleset, new_version, switched_off, first_deleted]
)
async def test_what_differs_is_worked_on(
    second: Callable[[Pool, Owner], Awaitable[UUID]], pool: Pool, owner: Owner
) -> None:
    """Another picture, ruleset or version, a platform that wants it, a result that is gone."""
    first = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, first)

    upload = await second(pool, owner)

    row = await driving.row(owner, upload)
    assert (row["state"], row["waiting_for"], row["reused_from"]) == ("queued", None, None)
    async with pool.acquire() as conn:
        assert [claim.id for claim in await uploads.claim(conn, 9, claims.MINUTE)] == [upload]


async def test_platforms_share_nothing(pool: Pool, owner: Owner) -> None:
    """What one platform sent tells nothing to another, not even by its speed."""
    claim = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)

    row = await driving.row(owner, await driving.queued(pool, platform="other"))

    assert (row["state"], row["reused_from"], row["leads"]) == ("queued", None, True)


async def test_golden_examples_are_never_reused(pool: Pool, owner: Owner) -> None:
    """A run judges every picture anew, and lends nothing to anybody."""
    off = await owner.fetch("SELECT name FROM platforms WHERE NOT reuse")
    assert [row["name"] for row in off] == [platforms.GOLDEN]
    queued = await driving.row(owner, await driving.queued(pool, platform="other"))
    sha256 = queued["image_sha256"]
    async with pool.acquire() as conn:
        for _ in range(2):
            example = uploads.NewUpload(
                ids.uuid7(), platforms.GOLDEN, None, {}, sha256, "privacy", 1
            )
            await uploads.add(conn, example)
        found = await uploads.claim(conn, 9, claims.MINUTE)
    examples = {claim.id for claim in found if claim.platform == platforms.GOLDEN}
    assert len(examples) == 2
    leading = await owner.fetch("SELECT platform FROM uploads WHERE leads")
    assert [row["platform"] for row in leading] == ["other"]


async def test_a_copy_outlives_its_source(pool: Pool, owner: Owner) -> None:
    """Deleting the first one takes nothing from its copies, and they still name it."""
    claim = await reuse.claimed(pool)
    async with pool.acquire() as conn:
        await claims.succeed(conn, claim)
    copy = await driving.queued(pool)
    before = await reuse.shown(pool, copy)

    await reuse.delete(owner, claim.id)

    assert await reuse.shown(pool, copy) == before
    assert before["reused_from"] == str(claim.id)
    assert before["description"]
