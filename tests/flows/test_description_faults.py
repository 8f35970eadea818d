"""Every fault mode of a description asked for alone, after an edit that came without one."""

import pytest
from aiohttp import web

from service.edits import outcomes
from service.edits.client import DESCRIBERS
from tests.fault_modes import IMAGE, Mode, table
from tests.flows import driving, faulting
from tests.flows.faulting import Bench, End
from tests.upstream import Call, answered


@pytest.mark.parametrize("describer", faulting.first_of(DESCRIBERS))
async def test_no_fault_of_a_description_leads_to_allow(describer: str, bench: Bench) -> None:
    """An edit without a text is repaired by a sound description only, within the same budget."""
    bench.upstream.script = [_image_alone] * 10_000
    modes = table.of("claude-messages")
    await faulting.check_all(bench, modes, _expected, describer=describer)


async def _image_alone(call: Call, request: web.Request) -> web.StreamResponse:
    """Answer an edit with an image alone, and by its mode who asks for the description."""
    mode = table.MODES[driving.name_of(call, table.MODES)]
    answer = mode.answers["claude-messages"] if call.alone else answered(None, IMAGE)
    return await answer(call, request)


def _expected(mode: Mode) -> End:
    """Expect one edit without a text, and then the mode as often as the budget still allows."""
    rule = outcomes.TABLE[mode.outcome]
    calls, fails_as = min(rule.tries, outcomes.MAX_ATTEMPTS - 1), rule.ends_as
    if mode.outcome in ("unauthorised", "rejected"):
        # A route or model that gives no descriptions says nothing of edits, which go on.
        calls, fails_as = 1, "no_description"
    elif rule.then == "end":
        calls, fails_as = 1, mode.outcome
    elif rule.then == "repair":
        # The edit was the first of those that lacked a description.
        calls = rule.tries - 1
    return faulting.end(fails_as, ["no_description"] + [mode.outcome] * calls)
