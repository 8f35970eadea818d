"""An upload that this machine could not work on is given back as soon as the database answers."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from service.attempting import Attempting
from service.store import Pool
from service.store.database import Database
from tests.faults.proxy import Chaos
from tests.flows import claims, cutting, driving
from tests.flows.driving import Owner

AWAY_S = 1.0


@pytest.fixture
async def wire(where: Database) -> AsyncIterator[tuple[Chaos, Database]]:
    """A proxy before the database, and the database behind it."""
    async with cutting.cutter(where) as (_, behind):
        parts = urlsplit(behind.dsn)
        target = (str(parts.hostname), int(parts.port or 0))
        async with Chaos(target).opened() as chaos:
            yield (
                chaos,
                replace(behind, dsn=behind.dsn.replace(f":{target[1]}/", f":{chaos.port}/")),
            )


@pytest.fixture
async def pool(wire: tuple[Chaos, Database]) -> AsyncIterator[Pool]:
    """Connections through the proxy."""
    opened = await wire[1].pool(size=2, name="tests")
    yield opened
    await opened.close()


async def test_what_a_local_fault_ends_is_given_back_once_the_database_is_there(
    wire: tuple[Chaos, Database], pool: Pool, owner: Owner, attempting: Attempting
) -> None:
    """A machine short of memory cannot even say so for a second: it costs no charge and no call."""
    claim = await claims.claimed(pool)
    wire[0].burn(random.Random(1), 1)

    giving_back = asyncio.create_task(attempting.abandon(claim, charged=False, delay_s=0))
    await asyncio.sleep(AWAY_S)
    assert wire[0].cuts > 0
    wire[0].heal()
    await giving_back

    row = await driving.row(owner, claim.id)
    assert (row["state"], row["charges"]) == ("queued", 0)
    (attempt,) = await driving.attempts_of(owner, claim.id)
    assert (attempt["outcome"], attempt["charged"]) == ("released", False)
