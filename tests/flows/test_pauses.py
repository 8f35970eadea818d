"""An upstream that is down or refuses our key pauses the calls and ends no upload."""

import itertools
import socket
from uuid import UUID

from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests import draw
from tests.conftest import configured
from tests.flows import driving
from tests.flows.driving import Owner
from tests.upstream import Upstream, error

UPLOADS = 3


async def queue_some(pool: Pool) -> list[UUID]:
    return [await driving.queued(pool, draw.png(8 + n, 8, "red")) for n in range(UPLOADS)]


async def check_paused(owner: Owner, outcome: str, rounds: int) -> None:
    """Wait for so many failed calls; no upload has ended or was charged by them."""

    async def tried() -> bool:
        await driving.hurry(owner)
        count = await owner.fetchval("SELECT count(*) FROM attempts WHERE outcome = $1", outcome)
        return bool(count >= rounds)

    await driving.until(tried, f"{rounds} attempts {outcome}")
    assert await owner.fetchval("SELECT count(*) FROM uploads WHERE finished_at IS NULL") == UPLOADS
    assert await owner.fetchval("SELECT count(*) FROM callbacks") == 0
    ledger = await owner.fetch(
        "SELECT charged, cost_microusd FROM attempts WHERE outcome = $1", outcome
    )
    assert {(row["charged"], row["cost_microusd"]) for row in ledger} == {(False, 0)}
    charges = "SELECT max(charges - (state = 'working')::int) FROM uploads"
    assert await owner.fetchval(charges) == 0


async def check_recovered(owner: Owner, uploads: list[UUID]) -> None:
    rows = await driving.ended(owner, *uploads)
    assert [row["outcome"] for row in rows] == ["clean"] * UPLOADS
    assert [row["waiting_for"] for row in rows] == [None] * UPLOADS
    for upload in uploads:
        await driving.message_of(owner, upload)


async def test_wrong_key_ends_nothing(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """However often the key is refused, every upload waits, and is done once the key works."""
    assert working
    upstream.script = [error(401, "invalid_api_key")] * (UPLOADS + 1)
    uploads = await queue_some(pool)
    await check_paused(owner, "unauthorised", UPLOADS)
    await check_recovered(owner, uploads)


async def test_waiting_upload_says_what_it_waits_for(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """While the upstream refuses our key the upload is queued and waits for ``upstream``."""
    assert working
    upstream.script = [error(403, "disabled")] * 50
    upload = await driving.queued(pool)

    async def waits() -> bool:
        return bool((await driving.row(owner, upload))["waiting_for"] == "upstream")

    await driving.until(waits, "the upload waits for the upstream")
    upstream.script.clear()
    (row,) = await driving.ended(owner, upload)
    assert (row["state"], row["verdict"]) == ("done", "allow")


async def test_paused_worker_probes_with_one_upload_at_a_time(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """After the first refusals only one call a second goes out, though many uploads are due."""
    assert working
    upstream.script = [error(401, "invalid_api_key")] * 100
    await queue_some(pool)
    await check_paused(owner, "unauthorised", UPLOADS + 2)
    later = await owner.fetch(
        "SELECT started_at FROM attempts ORDER BY started_at OFFSET $1", UPLOADS
    )
    gaps = [
        (after["started_at"] - before["started_at"]).total_seconds()
        for before, after in itertools.pairwise(later)
    ]
    assert min(gaps) >= 0.9


async def test_closed_port_ends_nothing(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> None:
    """While nobody listens every upload waits; a worker that finds the upstream finishes them."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        uploads = await queue_some(pool)
        async with driving.worker(pool, where, decoders, configured(address)):
            await check_paused(owner, "unreachable", UPLOADS + 2)
    async with driving.worker(pool, where, decoders, configured(upstream.url)):
        await check_recovered(owner, uploads)


async def test_long_outage_does_not_delay_recovery(
    pool: Pool, owner: Owner, upstream: Upstream, working: object
) -> None:
    """An upload that met the outage many times is due a second later, not a minute later."""
    assert working
    upstream.script = [error(401, "invalid_api_key")] * 1000
    upload = await driving.queued(pool)
    await owner.execute(
        """
        INSERT INTO images (sha256, mime, width, height, data)
        VALUES (sha256('x'), 'image/png', 1, 1, 'x');
        """
    )
    await owner.execute(
        """
        INSERT INTO attempts (upload_id, attempt, upstream, model, prompt_sha256, sent_sha256,
                              reserved_microusd, outcome, charged, cost_microusd, finished_at)
        SELECT $1, n, 'x', 'x', sha256('x'), sha256('x'), 0, 'unauthorised', false, 0, now()
          FROM generate_series(1000, 1100) AS n
        """,
        upload,
    )

    async def tried() -> bool:
        return bool(
            await owner.fetchval(
                "SELECT count(*) FROM attempts WHERE attempt < 1000 AND outcome = 'unauthorised'"
            )
        )

    await driving.until(tried, "the upload met the outage once more")
    wait = await owner.fetchval("SELECT due_at - clock_timestamp() FROM uploads")
    assert wait.total_seconds() <= 1
