"""A commit whose acknowledgement is lost is found out about, and nothing is paid or told twice."""

from datetime import timedelta

import pytest

from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests.conftest import configured
from tests.flows import cutting, driving
from tests.flows.driving import Owner
from tests.upstream import Answer, Upstream, described, error

CASES: dict[str, tuple[list[Answer], bytes, str, list[str]]] = {
    "success": ([described()], b"INSERT INTO records", "clean", ["described"]),
    "failure": (
        [error(400, "moderation_blocked")],
        b"INSERT INTO callbacks",
        "refused",
        ["refused"],
    ),
    "release": (
        [error(429, "x"), described()],
        b"charges = charges",
        "clean",
        ["rate_limited", "described"],
    ),
}


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
async def test_commit_without_acknowledgement_is_not_repeated(
    name: str,
    side: str,
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """Cut before or right after COMMIT: one call an answer, one row each, one callback."""
    script, mark, outcome, ledger = CASES[name]
    upstream.script = list(script)
    async with cutting.cutter(where) as (proxy, cut):
        setattr(proxy, side, commit_of(mark))
        cut_pool = await cut.pool(size=4, name="cut")
        async with driving.worker(cut_pool, cut, decoders, configured(upstream.url)):
            (row,) = await driving.ended(owner, await driving.queued(pool))
        await cut_pool.close()
    assert proxy.cuts == 1
    assert row["outcome"] == outcome
    assert len(upstream.calls) == len(script)
    attempts = await driving.attempts_of(owner, row["id"])
    assert [one["outcome"] for one in attempts] == ledger
    await driving.message_of(owner, row["id"])
    records = await owner.fetchval("SELECT count(*) FROM records")
    assert records == (1 if row["state"] == "done" else 0)


@pytest.mark.parametrize("side", ["before", "after"])
async def test_cut_before_the_call_charges_nothing(
    side: str,
    pool: Pool,
    where: Database,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """Where the entry into the ledger is cut off no call was made, and the upload goes on."""
    async with cutting.cutter(where) as (proxy, cut):
        setattr(proxy, side, commit_of(b"INSERT INTO attempts"))
        cut_pool = await cut.pool(size=4, name="cut")
        async with driving.worker(cut_pool, cut, decoders, configured(upstream.url)):
            (row,) = await driving.ended(owner, await driving.queued(pool))
        await cut_pool.close()
    assert (proxy.cuts, len(upstream.calls)) == (1, 1)
    assert (row["state"], row["charges"]) == ("done", 1)
    await driving.message_of(owner, row["id"])


@pytest.mark.parametrize("side", ["before", "after"])
async def test_a_claim_that_was_not_heard_of_costs_nothing(
    side: str,
    where: Database,
    pool: Pool,
    owner: Owner,
    upstream: Upstream,
    decoders: Decoders,
) -> None:
    """What it took is given back at once, uncharged, though its lease would last for an hour."""
    upload = await driving.queued(pool)
    async with cutting.cutter(where) as (proxy, cut):
        setattr(proxy, side, lambda text: b"u.charges + 1" in text)
        cut_pool = await cut.pool(size=4, name="cut")
        lease = timedelta(hours=1)
        async with driving.worker(cut_pool, cut, decoders, configured(upstream.url), lease=lease):
            (row,) = await driving.ended(owner, upload)
        await cut_pool.close()
    assert (proxy.cuts, len(upstream.calls)) == (1, 1)
    assert (row["state"], row["charges"]) == ("done", 1)
    await driving.message_of(owner, row["id"])


def commit_of(mark: bytes) -> cutting.Choice:
    """Choose the first COMMIT after a statement with this text."""
    seen = False

    def chosen(text: bytes) -> bool:
        nonlocal seen
        seen = seen or mark in text
        return seen and text.startswith(b"COMMIT")

    return chosen
