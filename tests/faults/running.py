"""One run: load, faults at moments drawn from a seed, quiet, and what is found then."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tests.faults import checker
from tests.faults.faults import Fault
from tests.faults.stage import Stage

COLUMNS = (
    "ok",
    "failed",
    "unknown",
    "no answer",
    "503",
    "calls",
    "callbacks",
    "asked",
    "reads",
    "looks",
)
HEAD = f"{'fault':<48} seed   fired {' '.join(f'{name:>9}' for name in COLUMNS)} violations"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did (how often each fault fired, numbers by ``COLUMNS``), and what is broken."""

    seed: int
    fired: Mapping[str, int]
    numbers: Counter[str]
    violations: list[str]

    @property
    def row(self) -> str:
        """The run as one line of a table."""
        fired = "+".join(str(number) for number in self.fired.values())
        cells = " ".join(f"{self.numbers[name]:>9}" for name in COLUMNS)
        names = " + ".join(self.fired)
        return f"{names:<48} {self.seed:>4} {fired:>7} {cells} {len(self.violations):>10}"


async def run(stage: Stage, faults: Mapping[str, Fault], seed: int, seconds: float) -> Report:
    """Hurt a service under load for so long, let it go quiet, and look at everything."""
    await stage.fleet.complete()
    before = _numbers(stage)
    fired = dict.fromkeys(faults, 0)

    async def hurt(name: str, fault: Fault) -> None:
        chosen = Random(f"{name}/{seed}")
        loop = asyncio.get_running_loop()
        began = loop.time()
        for moment in sorted(chosen.uniform(0.05, 0.8) * seconds for _ in range(fault.times)):
            await asyncio.sleep(max(0.0, began + moment - loop.time()))
            fired[name] += await fault.inject(stage, chosen)

    async with checker.watching(stage.where) as watch:
        async with asyncio.TaskGroup() as tasks:
            loop = asyncio.get_running_loop()
            until = loop.time() + seconds
            hurting = [tasks.create_task(hurt(*one)) for one in faults.items()]

            def going() -> bool:
                # A fault that lasts may put off the next one, which needs load to strike too.
                return loop.time() < until or not all(one.done() for one in hurting)

            tasks.create_task(stage.load.run(seed, going))
        late = await _unquiet(stage)
    found = [f"I0 {rule}: {subject} {detail}" for (rule, subject), detail in watch.seen.items()]
    ends = frozenset[str]().union(*(fault.ends for fault in faults.values()))
    charges = any(fault.charges for fault in faults.values())
    found += late or await checker.violations(stage, ends=ends, charges=charges)
    numbers = _numbers(stage)
    numbers.subtract(before)
    return Report(seed, fired, numbers + Counter(looks=watch.looks), found)


def _numbers(stage: Stage) -> Counter[str]:
    """Count what was done on a stage so far."""
    counted = Counter[str](op.result for op in stage.load.book)
    counted["no answer"] = stage.load.unanswered
    counted["503"] = stage.load.refused
    counted["calls"] = stage.answering.asked.total()
    counted["callbacks"] = stage.inbox.came
    counted["asked"] = stage.inbox.asked_back
    counted["reads"] = stage.load.reads
    return counted


async def _unquiet(stage: Stage) -> list[str]:
    """Wait until nothing is left to be done; tell what still is."""
    try:
        await stage.quiet()
    except TimeoutError:
        return [f"I2 not quiet: {line}" for line in await stage.unfinished()]
    return []
