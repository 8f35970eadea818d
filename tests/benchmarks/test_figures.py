"""What benchmarks measure with: nothing here is timed."""

import ast
import hashlib
import json
from pathlib import Path

import pytest

from service.pictures.canonical import canonical
from service.pictures.finishing import finish
from service.policy import rulesets
from service.proof import Region
from tests.benchmarks import pictures, sampling
from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.bars import Bar, Report, of_rounds, table
from tests.benchmarks.pictures import Photos
from tests.benchmarks.sampling import Seen

HERE = Path(__file__).parent
RULESET = HERE.parents[1] / "rulesets" / f"{pictures.RULESET}.yaml"


def test_every_benchmark_is_listed() -> None:
    """A module here that can be run is in the list, and nothing else is."""
    runnable = {
        path.stem
        for path in HERE.glob("*.py")
        if path.stem != "__main__" and _guarded(ast.parse(path.read_text("utf-8")))
    }
    assert set(BENCHMARKS) == runnable


def _guarded(module: ast.Module) -> bool:
    return any(
        isinstance(one, ast.If) and "'__main__'" in ast.unparse(one.test) for one in module.body
    )


@pytest.mark.parametrize(
    ("figure", "bound", "at_most", "reached"),
    [(0.6, 0.6, False, True), (0.59, 0.6, False, False), (2, 2, True, True), (2.1, 2, True, False)],
)
def test_a_bar_is_reached_by_its_bound(
    *, figure: float, bound: float, at_most: bool, reached: bool
) -> None:
    """A figure that just reaches its bound passes; one beyond it does not, and is called a miss."""
    bar = Bar("a figure", figure, bound, at_most)
    report = Report("title", {"cores": 2}, [[{"name": "a", "ms": 1.5}]], [bar], "notes")

    assert bar.reached == reached
    assert ("MISS" in report.markdown()) == (not reached)
    assert json.loads(report.json())["bars"][0]["reached"] == reached


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    """One bad round of either side does not move it."""
    assert of_rounds([10, 20, 1], [5, 10, 100]) == 2


def test_a_table_has_a_line_for_each_row() -> None:
    """Words stand left, numbers right and with as many digits as matter."""
    assert table([{"who": "a", "ms": 0.123}, {"who": "b", "ms": 123.4}]) == (
        "| who | ms |\n|---|---:|\n| a | 0.12 |\n| b | 123 |"
    )


def test_growth_is_of_the_longest_life_after_its_warm_up() -> None:
    """What a process loads at its start is no growth; 1 MB every 10 s is 6 MB a minute."""
    short = [Seen(float(at), "work", 1, 500.0, 9) for at in range(0, 50, 10)]
    life = [Seen(float(at), "work", 2, 80 + at / 10 if at >= 50 else 20.0, 9) for at in range(200)]

    found = sampling.longest_lived([*short, *life], "work")

    assert found == life
    assert sampling.growth(found, lambda one: one.resident_mb, 60) == pytest.approx(6)
    assert sampling.growth(found, lambda one: one.descriptors, 60) == 0


def test_waits_fall_into_the_third_they_are_from() -> None:
    """The last moment belongs to the last third; what came before or after counts in none."""
    waits = [(-1.0, 9.0), (0.0, 3.0), (2.0, 1.0), (4.0, 2.0), (9.0, 4.0), (10.0, 9.0)]
    assert sampling.in_thirds(0, 9, waits) == [[1.0, 3.0], [2.0], [4.0]]


@pytest.mark.parametrize("places", [0, 3])
def test_one_edit_is_proven_of_all_pictures(places: int) -> None:
    """All pictures that are stored differ, but those that nothing changed; their edit is proven."""
    photos = Photos(576, 448)
    edits = {rule.id: rule.edit for rule in rulesets.parse(RULESET.read_bytes()).rules}
    regions = [
        Region(tuple(one["box_2d"]), edits[one["rule"]], one["rule"], ())
        for one in pictures.findings(places)
    ]
    edited = photos.edited(places, 300_000)
    assert len(edited) == pytest.approx(300_000, abs=4)
    files = [photos.received(number) for number in range(3)]
    originals = [canonical(file).data for file in files]
    done = [finish(one, edited, regions, confined=True, thumbnail_side=256) for one in originals]

    assert [one.verdict for one in done] == ["proven"] * 3
    finals = [one.picture for one in done if one.picture is not None]
    kept = [*files, *originals, *(one.data for one in finals), *(one.thumbnail for one in finals)]
    # Where there is nothing to hide, the original's own file is the final one.
    each = 4 if places else 3
    assert len({hashlib.sha256(file or b"").digest() for file in kept}) == each * 3
