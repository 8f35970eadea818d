"""What is left of small places: content that only moved, and content that only looks alike."""

import numpy as np
import pytest

from service.proof import Edit, Pixels, Rect
from service.proof.remaining import Remaining, remaining
from service.proof.sampling import SAME, Mapping, View
from tests.proof.corpus import scenes

PORTRAIT = np.asarray(scenes.opened("astronaut.png"))
BRICKS = np.asarray(scenes.opened("brick.png").convert("RGB"))
PLACES = [Rect(96, 196, 126, 236), Rect(150, 190, 190, 250), Rect(170, 200, 190, 250)]


def left(original: Pixels, rect: Rect, part: Pixels, edit: Edit = "remove") -> Remaining:
    """Put pixels in a place and measure it."""
    edited = original.copy()
    edited[rect.slices] = part
    return remaining(View.of(original), View.of(edited), rect, edit)


@pytest.mark.parametrize("rect", PLACES)
@pytest.mark.parametrize(
    ("down", "right", "step"),
    [(1, 1, (4, -4)), (1, 1, (-3, 4)), (1, -1, (0, 0)), (-1, 1, (0, 0)), (-1, -1, (2, 3))],
)
def test_what_was_moved_is_seen(rect: Rect, down: int, right: int, step: tuple[int, int]) -> None:
    """Mirrored and shifted by a few pixels of 20 to 40: most that both share is seen."""
    part = PORTRAIT[rect.slices][::down, ::right]
    found = left(PORTRAIT, rect, np.roll(part, step, (0, 1)))
    assert found.moved > 0.5
    assert not found.gone


@pytest.mark.parametrize("rect", [*PLACES, Rect(0, 0, 512, 512), Rect(5, 5, 60, 60)])
@pytest.mark.parametrize("edit", ["box", "blur"])
def test_one_colour_leaves_what_any_measurement_would_find(rect: Rect, edit: Edit) -> None:
    """What is not measured of a place of one colour is what measuring it gives."""
    edited = PORTRAIT.copy()
    edited[rect.slices] = (10, 120, 200)
    original, view = View.of(PORTRAIT), View.of(edited)
    # By so little no sample is moved, but whatever moves is measured.
    moved = view.moved(Mapping(1.0, 1e-9), SAME)
    found = remaining(original, view, rect, edit)
    assert found == remaining(original, moved, rect, edit)
    assert found.most == 0


@pytest.mark.parametrize(
    "kept", [np.s_[:40], np.s_[-40:], np.s_[:, :40], np.s_[:, -40:], np.s_[30:70, 30:70]]
)
def test_what_one_colour_did_not_cover_is_seen(kept: tuple[slice, ...] | slice) -> None:
    """A place of one colour but for a part, wherever that lies, is measured and found."""
    rect = Rect(100, 190, 200, 290)
    part = np.full((100, 100, 3), 90, np.uint8)
    part[kept] = PORTRAIT[rect.slices][kept]
    assert left(PORTRAIT, rect, part, "box").most > 0


@pytest.mark.parametrize("at", [(40, 300), (330, 330)])
def test_another_part_of_a_wall_is_not_what_was_moved(at: tuple[int, int]) -> None:
    """Bricks painted over with other bricks are gone, though all bricks are alike."""
    rect = Rect(180, 120, 260, 200)
    other = BRICKS[at[0] : at[0] + rect.height, at[1] : at[1] + rect.width]
    assert left(BRICKS, rect, other).gone


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (2, 3), (3, 200), (90, 2), (7, 8)])
def test_the_smallest_places_are_measured(size: tuple[int, int]) -> None:
    """A line of one pixel has no room to move in; covered, it is gone."""
    rect = Rect(100, 150, 100 + size[0], 150 + size[1])
    assert left(PORTRAIT, rect, np.zeros((*size, 3), np.uint8), "box").gone
