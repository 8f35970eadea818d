"""Workers that are killed in the middle of a run of golden examples."""

import asyncio
import signal
from typing import Any

from tests import trials
from tests.conftest import PRICE
from tests.flows import driving, processes
from tests.trials import Bench, Golden
from tests.upstream import hanging


async def test_killed_worker_costs_no_more_than_was_quoted(bench: Bench) -> None:
    """Calls that were lost count as paid, so these examples end; the others run on, once each."""
    examples = [Golden(number) for number in range(1, 7)]
    version = await bench.imported(examples)
    never = asyncio.Event()
    bench.upstream.script = [hanging(never)] * 3
    run: dict[str, Any]
    async with processes.work(bench.where, bench.upstream.url, concurrency=3) as process:
        run = await trials.started(bench.api.policy, version)

        async def all_called() -> bool:
            return len(bench.upstream.calls) == 3

        await driving.until(all_called, "three calls are under way")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    never.set()
    async with processes.work(bench.where, bench.upstream.url):
        done = await bench.ended(run)
    ends = sorted(one["got"]["outcome"] for one in done["by_example"])
    assert ends == ["clean"] * 3 + ["exhausted"] * 3
    assert (done["result"], len(bench.upstream.calls)) == ("failed", len(examples))
    assert await bench.spent() == done["quoted_microusd"] == len(examples) * PRICE
    callbacks = await bench.owner.fetchval("SELECT count(*) FROM callbacks")
    assert callbacks == 0
