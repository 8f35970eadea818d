"""The short form of the faults: three kinds of them in one run of a few seconds."""

from tests.faults.faults import FAULTS
from tests.faults.running import run
from tests.faults.stage import ROLES, Ground, staged

MIXED = ("kill -9 worker", "Postgres stopped immediately", "Postgres connections cut")
SEED, SECONDS = 1, 5.0


async def test_mixed_faults_lose_nothing(ground: Ground) -> None:
    """Workers and database are killed and connections cut; what was accepted ends well, once."""
    async with staged(ground, roles=ROLES | {"deliver": 1}) as stage:
        report = await run(stage, {name: FAULTS[name] for name in MIXED}, SEED, SECONDS)
    assert not report.violations, "\n".join(report.violations)
    assert all(report.fired.values())
    assert report.numbers["ok"]
    assert report.numbers["looks"]
