"""What is left of small places: content that only moved, and content that only looks alike."""

import numpy as np
import pytest

from service.proof import Edit, Pixels, Rect
from service.proof.remaining import Remaining, remaining
from service.proof.sampling import View
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
