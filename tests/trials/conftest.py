"""Fixtures of the runs of golden examples."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from service.quoting import Offer
from service.store import Pool
from service.store.database import Database
from tests.conftest import Api
from tests.flows.driving import Owner
from tests.trials import Bench, offer
from tests.upstream import Upstream


@pytest.fixture
def offers() -> Sequence[Offer]:
    """The API knows the scripted endpoint, at $0.058 a call."""
    return (offer(),)


@pytest.fixture
async def bench(
    api: Api, pool: Pool, where: Database, owner: Owner, upstream: Upstream, tmp_path: Path
) -> Bench:
    """All that a run of golden examples needs, except for workers."""
    return Bench(api, pool, where, owner, upstream, tmp_path / "rulesets")
