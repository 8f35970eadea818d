"""The checker finds bugs: each that is planted shows, and the code without it is clean."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults import planted, running
from tests.faults.faults import FAULTS
from tests.faults.planted import BUGS, Bug
from tests.faults.running import Report
from tests.faults.stage import ROLES, Ground, staged
from tests.flows.processes import ROOT

SECONDS, SHORT_S = 6.0, 3.0
FEW = dict.fromkeys(ROLES, 1)
# Of different kinds, and none hides another.
TOGETHER = (
    "idempotency keys ignored",
    "a body of its own for each try",
    "the picture of another answer",
)


async def run(
    ground: Ground,
    root: Path,
    *bugs: Bug,
    seconds: float = SECONDS,
    roles: Mapping[str, int] = ROLES,
) -> Report:
    """Run the code in a folder under what these bugs need to show."""
    faults = {bug.fault: FAULTS[bug.fault] for bug in bugs if bug.fault is not None}
    changes = [change for bug in bugs for change in bug.drops]
    takes_s, pause_s = (max(getattr(bug, name) for bug in bugs) for name in ("takes_s", "pause_s"))
    async with staged(
        ground, roles=roles, root=root, changes=changes, takes_s=takes_s, pause_s=pause_s
    ) as stage:
        return await running.run(stage, faults, 1, seconds)


def shown(bug: Bug, report: Report) -> list[str]:
    """List what was found that this bug shows by."""
    return [violation for violation in report.violations if violation.startswith(bug.shows)]


def _needs(bug: Bug) -> tuple[object, ...]:
    """Tell what a bug needs to show."""
    return bug.fault, bug.takes_s, bug.pause_s


async def test_several_bugs_show(ground: Ground, tmp_path: Path) -> None:
    """Of three bugs of different kinds, planted together, each is found."""
    bugs = [BUGS[name] for name in TOGETHER]
    report = await run(
        ground, planted.plant(bugs, ROOT, tmp_path / "code"), *bugs, seconds=SHORT_S, roles=FEW
    )
    assert {bug.name: bool(shown(bug, report)) for bug in bugs} == dict.fromkeys(TOGETHER, True)


@pytest.mark.parametrize("name", BUGS)
def test_every_bug_can_be_planted(name: str) -> None:
    """What a bug changes stands in the code exactly once, so that none is planted in vain."""
    for text in planted.patched([BUGS[name]], ROOT).values():
        ast.parse(text)


@pytest.mark.faults
@pytest.mark.parametrize("name", BUGS)
async def test_bug_shows(name: str, ground: Ground, tmp_path: Path) -> None:
    """A short run finds the bug by the invariant that it breaks."""
    bug = BUGS[name]
    report = await run(ground, planted.plant([bug], ROOT, tmp_path / "code"), bug)
    assert shown(bug, report), report


@pytest.mark.faults
@pytest.mark.parametrize("name", {_needs(bug): name for name, bug in BUGS.items()}.values())
async def test_code_as_it_is_is_clean(name: str, ground: Ground) -> None:
    """The same runs find nothing in the code without a bug; those that are alike run once."""
    beside = BUGS[name].model_copy(update={"patch": (), "drops": ()})
    report = await run(ground, ROOT, beside)
    assert not report.violations, "\n".join(report.violations)
