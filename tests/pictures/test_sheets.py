"""How a contact sheet shows a file of several frames."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from service.errors import Unreadable
from service.pictures import sheets
from service.pictures.canonical import canonical
from tests import fuzz_pictures
from tests.hostile import containers
from tests.hostile.containers import Frame
from tests.pictures import samples


@pytest.mark.parametrize("count", range(1, 101))
def test_frames_are_sampled_evenly(count: int) -> None:
    """Up to 16 frames are all taken; of more, 16 with steps that differ by one at most."""
    taken = sheets.sampled(count)
    assert len(taken) == min(count, 16)
    assert (taken[0], taken[-1]) == (0, count - 1)
    steps = np.diff(taken)
    if count > 1:
        assert steps.min() >= 1
        assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(2, 2, 1), (3, 2, 2), (5, 3, 2), (9, 3, 3), (16, 4, 4)]
)
def test_cells_stand_row_by_row(count: int, columns: int, rows: int) -> None:
    """Frame after frame stands in its cell; grey lines run between, what is left over is white."""
    frames = [Image.new("RGB", (48, 32), (10 * number, 200, 0)) for number in range(count)]
    picture = canonical(containers.webp((48, 32), [Frame(frame) for frame in frames]))
    assert (picture.width, picture.height) == (52 * columns - 4, 36 * rows - 4)
    assert picture.frames == count
    shown = samples.pixels(picture.data)
    for number in range(columns * rows):
        left, top = 52 * (number % columns), 36 * (number // columns)
        expected = [10 * number, 200, 0] if number < count else [255, 255, 255]
        assert np.abs(shown[top + 4 : top + 28, left + 4 : left + 44] - expected).max() < 12
    assert np.abs(shown[:, 48:52] - 128).max() < 40


@pytest.mark.parametrize("size", [(3_000, 1_000), (1_000, 3_000), (4_000, 40)])
def test_a_sheet_fits_the_largest_side(size: tuple[int, int]) -> None:
    """Large frames are scaled by one factor, so that the sheet has at most 4,096 px a side."""
    frames = [samples.gradient("RGB", size), Image.new("RGB", size, "navy")] * 3
    picture = canonical(containers.webp(size, [Frame(frame) for frame in frames]))
    assert max(picture.width, picture.height) <= 4_096
    cell = ((picture.width - 8) // 3, (picture.height - 4) // 2)
    assert cell[0] / cell[1] == pytest.approx(size[0] / size[1], rel=0.05)


def test_a_still_picture_is_no_sheet() -> None:
    """One frame, also in a format for many, is the picture itself."""
    one = [Frame(samples.gradient())]
    for data in (
        containers.gif((60, 40), one),
        containers.webp((60, 40), one),
        containers.apng((60, 40), one),
    ):
        picture = canonical(data)
        assert (picture.width, picture.height, picture.frames) == (60, 40, 1)


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "out of order": lambda data: data.replace(b"fdAT\0\0\0\2", b"fdAT\0\0\0\3"),
    "damaged fdAT": lambda data: data[:-30] + b"\0\0\0\0" + data[-26:],
    "does not fill": lambda data: (
        data[: data.index(b"fcTL") + 11] + b"\7" + data[data.index(b"fcTL") + 12 :]
    ),
    "without pixels": lambda data: data.replace(b"fdAT", b"fdXX"),
    "beyond the screen": lambda data: (
        data[: data.rindex(b"fcTL") + 8] + b"\0\0\xff\0" + data[data.rindex(b"fcTL") + 12 :]
    ),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_frame_is_unreadable(how: str) -> None:
    """No sheet is made of an animation of which only some frames can be decoded."""
    good = containers.apng((60, 40), [Frame(samples.gradient())] * 2)
    assert canonical(good).frames == 2
    damaged = DAMAGED[how](good)
    with pytest.raises(Unreadable, match=how):
        canonical(damaged if how == "damaged fdAT" else fuzz_pictures.summed(damaged))


def test_junk_between_the_frames_of_a_gif_is_unreadable() -> None:
    """Programs differ in what they play behind bytes that are no block."""
    frame = Frame(samples.gradient())
    data = containers.gif((60, 40), [frame, frame])
    at = data.rindex(b"!\xf9")
    with pytest.raises(Unreadable):
        canonical(data[:at] + b"\1\2" + data[at:])
