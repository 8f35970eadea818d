"""What counts as a change outside the regions, where edges make it hard to tell."""

import numpy as np
import pytest

from service.proof.outside import outside
from service.proof.sampling import SAME, Mapping, View

SIDE = 512
TILE = 8


def edged(row: int) -> np.ndarray:
    """Dark above a row, light from it on."""
    picture = np.full((SIDE, SIDE, 3), 230, np.uint8)
    picture[:row] = (94, 126, 139)
    return picture


@pytest.mark.parametrize("row", [15 * TILE, 15 * TILE + 3])
def test_an_edge_that_lies_part_of_a_pixel_off_is_no_change(row: int) -> None:
    """Resampling puts it there, in a tile and just between two of them alike."""
    picture = edged(row)
    found = outside(View.of(picture), View.of(picture).moved(Mapping(1.0, 0.4), SAME), [])
    assert found.changed == 0
    assert found.tiles > 3000


@pytest.mark.parametrize("rows", [SAME, Mapping(1.0, 0.4)])
def test_an_edge_that_moved_by_tiles_is_a_change(rows: Mapping) -> None:
    """The tolerance for edges is not one for content."""
    before, after = View.of(edged(15 * TILE)), View.of(edged(18 * TILE))
    found = outside(before, after.moved(rows, SAME), [])
    assert found.changed > 2 * SIDE // TILE
    assert not found.faithful
