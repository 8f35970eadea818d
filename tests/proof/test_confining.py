"""Confinement: not one pixel outside the regions is anybody's but the original's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.proof import Pixels, Rect, Region
from service.proof.confining import confine
from service.proof.proving import prove
from service.proof.sampling import Mapping, View
from tests.proof.corpus import scenes

EDITS = ("none", "blur", "pixelate", "box", "remove")


@st.composite
def _regions(draw: st.DrawFn) -> Region:
    edges = st.integers(0, 1000)
    ymin, ymax = sorted((draw(edges), draw(edges)))
    xmin, xmax = sorted((draw(edges), draw(edges)))
    return Region((ymin, xmin, ymax, xmax), draw(st.sampled_from(EDITS)), "rule")


def covered(original: Pixels, regions: list[Region]) -> np.ndarray:
    """The pixels that a region with an edit covers."""
    mask = np.zeros(original.shape[:2], np.bool_)
    for region in regions:
        if region.edit != "none":
            mask[region.rect(Rect.whole(original)).slices] = True
    return mask


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.lists(_regions(), max_size=4),
    st.sets(st.integers(0, 3)),
    st.integers(0, 99),
)
def test_outside_equals_the_original_exactly(
    size: tuple[int, int],
    other: tuple[int, int],
    regions: list[Region],
    enforce: set[int],
    seed: int,
) -> None:
    """Whatever sizes, regions and mapping: outside is the original, and the original stays."""
    rng = np.random.default_rng(seed)
    original = rng.integers(0, 256, (*size, 3), np.uint8)
    kept = original.copy()
    view = View.of(rng.integers(0, 256, (*other, 3), np.uint8))
    if size != other or seed % 2:
        scale, shift = rng.uniform(0.8, 1.2, 2), rng.uniform(-9, 9, 2)
        view = view.moved(
            Mapping(other[0] / size[0] * float(scale[0]), float(shift[0])),
            Mapping(other[1] / size[1] * float(scale[1]), float(shift[1])),
        )
    final = confine(original, view, regions, enforce=enforce)
    assert final.shape == original.shape
    assert np.array_equal(original, kept)
    outside = ~covered(original, regions)
    assert np.array_equal(final[outside], original[outside])


def test_inside_is_the_edit_and_it_fades_in() -> None:
    """The middle of a region is the edit's, its edge lies between the edit and the original."""
    original = np.full((200, 200, 3), 40, np.uint8)
    edited = np.full((200, 200, 3), 240, np.uint8)
    final = confine(original, View.of(edited), [Region((250, 250, 750, 750), "blur", "r")])
    assert (final[60:140, 60:140] == 240).all()
    row = final[100, 49:60, 0].astype(int)
    assert row[0] == 40
    assert row[-1] == 240
    assert (np.diff(row) >= 0).all()
    assert 40 < row[2] < 240


def test_a_region_at_the_pictures_edge_does_not_fade_there() -> None:
    """No original pixel shines through along the picture's own edge."""
    original = np.full((100, 100, 3), 40, np.uint8)
    edited = np.full((100, 100, 3), 240, np.uint8)
    final = confine(original, View.of(edited), [Region((0, 0, 1000, 1000), "blur", "r")])
    assert (final == 240).all()


def test_an_overlapping_region_brings_nothing_back() -> None:
    """A region that fades in inside of another one does not show the original there."""
    original = np.zeros((200, 200, 3), np.uint8)
    edited = np.full((200, 200, 3), 200, np.uint8)
    around, within = (
        Region((100, 100, 900, 900), "box", "a"),
        Region((400, 400, 600, 600), "blur", "b"),
    )
    for regions in ([around, within], [within, around]):
        final = confine(original, View.of(edited), regions)
        assert (final[40:160, 40:160] == 200).all()


def test_a_region_with_nothing_to_do_keeps_the_original() -> None:
    """Where the edit is none, and where there is no region, the original stays."""
    original = np.asarray(scenes.opened("coffee.png"))
    view = View.of(255 - original)
    final = confine(original, view, [Region((100, 100, 500, 500), "none", "r")], enforce=[0])
    assert np.array_equal(final, original)
    assert np.array_equal(confine(original, view, []), original)


def test_blocking_covers_all() -> None:
    """An enforced block covers the whole picture, wherever the reason was seen."""
    original = np.asarray(scenes.opened("coffee.png"))
    region = Region((100, 100, 200, 200), "block_image", "r")
    final = confine(original, View.of(original), [region], enforce=[0])
    assert not final.any()
    assert prove(original, final, [region]).verdict == "proven"


@pytest.mark.parametrize("edit", ["blur", "pixelate", "box", "remove"])
@pytest.mark.parametrize("name", ["astronaut.png", "page.png", "brick.png", "coffee.png"])
def test_what_is_enforced_is_proven(name: str, edit: str) -> None:
    """Every enforced edit proves itself, from 12 px to a half of a picture, on faces and text."""
    original = np.asarray(scenes.opened(name))
    rng = np.random.default_rng(len(name))
    for size in ((25, 40), (60, 90), (200, 700), (500, 500)):
        top, left = (int(rng.integers(0, 1000 - side)) for side in size)
        regions = [Region((top, left, top + size[0], left + size[1]), edit, "r")]  # type: ignore[arg-type]
        final = confine(original, View.of(original), regions, enforce=[0])
        assert prove(original, final, regions).verdict == "proven"
