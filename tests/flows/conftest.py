"""Fixtures of the flows."""

import pytest

from service.pictures.pool import Decoders
from service.store import Pool
from service.store.database import Database
from tests.flows import faulting
from tests.flows.driving import Owner
from tests.flows.faulting import Bench
from tests.upstream import Upstream


@pytest.fixture
async def bench(
    pool: Pool, where: Database, owner: Owner, upstream: Upstream, decoders: Decoders
) -> Bench:
    """A database that notes every verdict that an upload ever had."""
    await owner.execute(faulting.WATCH)
    return Bench(pool, where, owner, upstream, decoders)
