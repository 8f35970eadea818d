"""Every fault mode of an edit, as the answer to every call: no path leads to allow."""

import pytest
from aiohttp import web

from service.edits import AttemptFailed, Edit, outcomes
from service.edits.client import DIALECTS, EditsClient
from tests import draw
from tests.conftest import configured
from tests.fault_modes import Mode, table
from tests.flows import driving, faulting
from tests.flows.faulting import Bench, End
from tests.upstream import Answer, Call, Upstream

# These have tests of their own, named in the values.
ELSEWHERE = {"unreachable": "test_pauses", "lost": "test_kills", "released": "test_stopping"}
_WAITING = """
    SELECT count(*) FROM uploads
     WHERE state = 'queued' AND waiting_for = 'upstream' AND charges = 0
"""


def test_table_is_large_and_reaches_every_outcome() -> None:
    """At least sixty faults in each dialect; each outcome has a mode, or a test elsewhere."""
    for dialect in DIALECTS:
        faults = [mode for mode in table.of(dialect).values() if mode.outcome != "described"]
        assert len(faults) >= 60
    reached = {mode.outcome for mode in table.MODES.values()}
    assert reached | set(ELSEWHERE) == set(outcomes.TABLE)


@pytest.mark.parametrize("dialect", faulting.first_of(DIALECTS))
async def test_no_fault_of_an_edit_leads_to_allow(dialect: str, bench: Bench) -> None:
    """Calls that all fail alike end the upload typed and held, with the table's number of calls."""
    modes = {name: mode for name, mode in table.of(dialect).items() if not _pauses(mode)}
    bench.upstream.script = [_always(dialect)] * 10_000
    await faulting.check_all(bench, modes, _expected, dialect=dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_pausing_modes_end_nothing(dialect: str, bench: Bench) -> None:
    """However often an upstream refuses our key, route or model, uploads wait uncharged."""
    modes = {name: mode for name, mode in table.of(dialect).items() if _pauses(mode)}
    bench.upstream.script = [_always(dialect)] * 10_000

    async def asked_often() -> bool:
        await driving.forgive(bench.owner)
        return min(bench.calls()[name] for name in modes) > outcomes.MAX_ATTEMPTS

    async def all_wait() -> bool:
        return bool(await bench.owner.fetchval(_WAITING) == len(modes))

    async with bench.working(modes, configured(bench.upstream.url, dialect=dialect)) as uploads:
        await driving.until(asked_often, "every upload has been tried more often than its budget")
        await driving.until(all_wait, "every upload waits for the upstream, uncharged")
    for name, upload in uploads.items():
        ledger = [modes[name].outcome] * bench.calls()[name]
        await driving.check_ledger(bench.owner, upload, ledger)
        assert await bench.verdicts(upload) == {"hold"}
    assert await bench.owner.fetchval("SELECT count(*) FROM callbacks") == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_wait_is_read_wherever_it_stands(dialect: str, upstream: Upstream) -> None:
    """What an answer asks us to wait is understood and clamped; garbage asks for nothing."""
    edit = Edit("Judge the picture.", draw.png(8, 8, "red"), "image/png")
    one = configured(upstream.url, dialect=dialect)
    modes = {name: mode for name, mode in table.of(dialect).items() if _speaks_of_waiting(mode)}
    waits: dict[str, float | None] = {}
    async with EditsClient() as client:
        for name, mode in modes.items():
            upstream.script = [mode.answers[dialect]]
            with pytest.raises(AttemptFailed) as caught:
                await client.edit(edit, one)
            waits[name] = caught.value.retry_after_s
    assert waits == {name: mode.wait_s for name, mode in modes.items()}


def _always(dialect: str) -> Answer:
    async def answer(call: Call, request: web.Request) -> web.StreamResponse:
        mode = table.MODES[driving.name_of(call, table.MODES)]
        return await mode.answers[dialect](call, request)

    return answer


def _pauses(mode: Mode) -> bool:
    return outcomes.TABLE[mode.outcome].then == "pause"


def _speaks_of_waiting(mode: Mode) -> bool:
    return mode.wait_s is not None or mode.outcome == "rate_limited"


def _expected(mode: Mode) -> End:
    rule = outcomes.TABLE[mode.outcome]
    if rule.then == "end":
        return faulting.end(mode.outcome, [mode.outcome])
    return faulting.end(rule.ends_as, [mode.outcome] * rule.tries)
