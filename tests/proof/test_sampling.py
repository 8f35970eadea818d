"""Area means and box means against what they say they are, computed the long way."""

import numpy as np
import pytest

from service.proof import Rect
from service.proof.sampling import Mapping, View, area_means, between, box_mean

RNG = np.random.default_rng(5)


def picture(height: int, width: int) -> np.ndarray:
    """Noise, the hardest thing to sample."""
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "side"), [(1, 1, 3), (5, 40, 9), (37, 23, 17), (9, 4, 7)]
)
def test_a_box_mean_averages_what_there_is(height: int, width: int, side: int) -> None:
    """Each sample is the mean of its window, cut at the edges."""
    values = RNG.normal(0, 40, (2, height, width)).astype(np.float32)
    means = box_mean(values, side)
    half = side // 2
    for y in range(height):
        for x in range(width):
            window = values[:, max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
            assert means[:, y, x] == pytest.approx(window.mean(axis=(1, 2)), abs=1e-3)


def test_whole_cells_are_exact_means() -> None:
    """Where cells are whole blocks of pixels, each is exactly their mean, at any offset."""
    pixels = picture(60, 90)
    cells = area_means(pixels, Rect(6, 10, 54, 90), (12, 10))
    blocks = pixels[6:54, 10:90].reshape(12, 4, 10, 8, 3).mean(axis=(1, 3))
    assert np.moveaxis(cells, 0, -1) == pytest.approx(blocks, abs=1e-3)


@pytest.mark.parametrize(("tall", "wide"), [(1, 1), (1, 5), (3, 1), (8, 8), (16, 17), (256, 256)])
def test_blocks_of_any_size_are_exact_means(tall: int, wide: int) -> None:
    """Every block is the mean of its pixels, also where their sum is the greatest there can be."""
    pixels = np.concatenate(
        [picture(2 * tall, wide), np.full((2 * tall, wide, 3), 255, np.uint8)], 1
    )
    cells = area_means(pixels, Rect.whole(pixels), (2, 2))
    blocks = pixels.reshape(2, tall, 2, wide, 3).mean(axis=(1, 3))
    assert np.moveaxis(cells, 0, -1) == pytest.approx(blocks, abs=1e-3)


@pytest.mark.parametrize("shift", [0.0, -13.3, 40.7, 500.0, -500.0])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (1, 2), (4, 7)])
def test_a_part_is_sampled_as_it_is_in_the_whole(top: int, left: int, shift: float) -> None:
    """Coarse cells of a part are those of the whole there, in the picture and beyond its edges."""
    pixels = np.repeat(np.repeat(picture(60, 90), 13, 0), 13, 1)
    view = View.of(pixels).moved(Mapping(13.0, shift), Mapping(13.0, shift))
    whole = view.sample(Rect(0, 0, 60, 90), (6, 9))
    part = view.sample(Rect(10 * top, 10 * left, 10 * top + 20, 10 * left + 20), (2, 2))
    assert part == pytest.approx(whole[:, top : top + 2, left : left + 2], abs=1e-3)


@pytest.mark.parametrize("shape", [(30, 30), (17, 41), (333, 50), (1, 1)])
def test_any_cells_keep_the_mean(shape: tuple[int, int]) -> None:
    """Whatever the shape, sampling keeps a picture's mean colour within a few levels."""
    pixels = np.repeat(np.repeat(picture(12, 12), 25, 0), 25, 1)
    cells = View.of(pixels).sample(Rect.whole(pixels), shape)
    assert cells.shape == (3, *shape)
    assert cells.mean(axis=(1, 2)) == pytest.approx(pixels.mean(axis=(0, 1)), abs=8)


def test_a_view_reads_a_shifted_picture_back() -> None:
    """A picture pasted at an offset on a larger one is read back as it was."""
    pixels = picture(40, 50)
    larger = np.zeros((70, 90, 3), np.uint8)
    larger[11:51, 23:73] = pixels
    view = View.of(larger).moved(Mapping(1.0, 11.0), Mapping(1.0, 23.0))
    assert np.array_equal(view.window(Rect.whole(pixels)), pixels)
    part = Rect(5, 6, 20, 30)
    assert np.array_equal(view.window(part), pixels[part.slices])
    sampled = view.sample(Rect.whole(pixels), (40, 50))
    assert np.array_equal(np.moveaxis(sampled, 0, -1), pixels)
    assert view.inside(Rect.whole(pixels), (40, 50)).all()


def test_beyond_the_picture_is_not_inside() -> None:
    """Cells that leave the edited picture's frame are told, and sampling them repeats its edge."""
    pixels = picture(20, 20)
    view = View.of(pixels).moved(Mapping(1.0, 5.0), Mapping())
    inside = view.inside(Rect(0, 0, 20, 20), (20, 20))
    assert inside[:15].all()
    assert not inside[16:].any()
    assert np.array_equal(view.window(Rect(18, 0, 19, 20))[0], pixels[-1])


def test_between_pixels_lies_their_mixture() -> None:
    """Half way between two pixels is their mean; beyond the ends is the last pixel."""
    pixels = np.array([[[0, 0, 0], [100, 200, 50]]], np.uint8)
    read = between(pixels, np.array([-3.0, 0.0, 0.5, 1.0, 9.0]), 1)
    assert read[0].tolist() == [[0, 0, 0], [0, 0, 0], [50, 100, 25], [100, 200, 50], [100, 200, 50]]
