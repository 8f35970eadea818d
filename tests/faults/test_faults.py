"""Every fault, from three seeds each: `pytest -m faults tests/faults`."""

import random
from collections.abc import Sequence

import pytest

from tests.faults.faults import FAULTS
from tests.faults.running import run
from tests.faults.stage import Ground, staged

pytestmark = pytest.mark.faults
SEEDS = (1, 2, 3)
SECONDS = 6.0


# Two at once, drawn from as many seeds.
PAIRS = range(1, 7)


@pytest.mark.parametrize("name", FAULTS)
async def test_nothing_is_lost(name: str, ground: Ground, table: list[str]) -> None:
    """While a fault strikes at random moments, and after it, every invariant holds."""
    await check([name], SEEDS, ground, table)


@pytest.mark.parametrize("seed", PAIRS)
async def test_two_at_once(seed: int, ground: Ground, table: list[str]) -> None:
    """The same holds of two faults that meet."""
    possible = [
        name
        for name, fault in FAULTS.items()
        if not fault.pooled and (ground.small or not fault.needs_root)
    ]
    await check(random.Random(seed).sample(possible, 2), [seed], ground, table)


async def check(
    names: Sequence[str], seeds: Sequence[int], ground: Ground, table: list[str]
) -> None:
    """Run these faults from one seed after another on one service, looking at everything."""
    faults = {name: FAULTS[name] for name in names}
    if any(fault.needs_root for fault in faults.values()) and not ground.small:
        pytest.skip("a disk can be filled by root alone, who may mount a small one")
    pooled = any(fault.pooled for fault in faults.values())
    async with staged(ground, pooled=pooled) as stage:
        for seed in seeds:
            report = await run(stage, faults, seed, SECONDS)
            table.append(report.row)
            assert not report.violations, "\n".join(report.violations)
            assert all(report.fired.values()), report.row
            assert min(report.numbers["looks"], report.numbers["asked"]) > 0, report.row
