"""The promises of a proof, one by one, on a portrait and on a drawn card."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from service.proof import Edit, Region
from service.proof.proving import Proof, prove
from tests.draw import card
from tests.proof.corpus import Box, scenes

PORTRAIT = scenes.opened("astronaut.png")
CAT = scenes.opened("chelsea.png").resize(PORTRAIT.size)
FACE = Region((117, 332, 391, 547), "blur", "faces")
FACE_BOX = (170, 60, 280, 200)
CARD = card([("Anna Lindqvist", 40), ("+46 70 174 06 35", 36), ("anna@example.org", 30)])
PHONE = Region((206, 60, 306, 480), "blur", "contacts")
PHONE_BOX = (54, 107, 432, 160)
Change = Callable[[Image.Image], Image.Image]


def proven(original: Image.Image, edited: Image.Image, *regions: Region) -> Proof:
    """Prove pictures."""
    return prove(np.asarray(original), np.asarray(edited), regions)


def changed(image: Image.Image, box: Box, change: Change) -> Image.Image:
    """Change one place of a copy."""
    copy = image.copy()
    copy.paste(change(copy.crop(box)), box)
    return copy


def blur(sigma: float) -> Change:
    """Blur with a standard deviation of so many pixels."""
    return lambda part: part.filter(ImageFilter.GaussianBlur(sigma))


def cells(count: int) -> Change:
    """Average into so many cells across the longer side."""

    def change(part: Image.Image) -> Image.Image:
        side = max(part.size) / count
        size = max(1, round(part.width / side)), max(1, round(part.height / side))
        return part.resize(size, Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)

    return change


def black(part: Image.Image) -> Image.Image:
    """Cover."""
    return Image.new("RGB", part.size)


def nudged(part: Image.Image) -> Image.Image:
    """Move within the place by a tenth of its height."""
    step = part.height // 10
    return Image.fromarray(np.roll(np.asarray(part), (step, step), (0, 1)))


def half(part: Image.Image) -> Image.Image:
    """Cover the left half."""
    covered = part.copy()
    covered.paste((0, 0, 0), (0, 0, part.width // 2, part.height))
    return covered


@pytest.mark.parametrize("change", [blur(18), blur(30), cells(6), cells(8), black])
def test_a_face_that_is_gone_is_proven(change: Change) -> None:
    """A heavy blur, coarse cells and a box hide a face."""
    proof = proven(PORTRAIT, changed(PORTRAIT, FACE_BOX, change), FACE)
    assert proof.verdict == "proven"
    assert proof.to_enforce == frozenset()
    assert proof.outside is not None
    assert proof.outside.changed == 0


@pytest.mark.parametrize("change", [blur(14), cells(10), black])
def test_a_number_that_is_gone_is_proven(change: Change) -> None:
    """The same hides a phone number."""
    assert proven(CARD, changed(CARD, PHONE_BOX, change), PHONE).verdict == "proven"


LEFT: list[Change] = [
    lambda part: part,
    blur(2),
    blur(4),
    ImageOps.invert,
    ImageOps.mirror,
    ImageOps.flip,
    lambda part: Image.eval(part, lambda value: 118 + value // 12),
    lambda part: Image.merge("RGB", part.split()[::-1]),
    nudged,
    half,
]


@pytest.mark.parametrize("change", LEFT)
def test_what_is_left_is_not_redacted(change: Change) -> None:
    """A light blur, faded, inverted, mirrored, recoloured, nudged or half covered: all are seen."""
    for image, box, region in ((PORTRAIT, FACE_BOX, FACE), (CARD, PHONE_BOX, PHONE)):
        proof = proven(image, changed(image, box, change), region)
        assert proof.verdict == "not_redacted"
        assert proof.to_enforce == {0}


def test_an_ellipse_hides_a_face() -> None:
    """A blur that follows the round face in its box is proven, though it leaves the corners."""
    part = PORTRAIT.crop(FACE_BOX)
    mask = Image.new("L", part.size, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, part.width - 1, part.height - 1), fill=255)
    edited = PORTRAIT.copy()
    edited.paste(blur(18)(part), FACE_BOX, mask)
    assert proven(PORTRAIT, edited, FACE).verdict == "proven"


def test_an_edit_elsewhere_proves_nothing() -> None:
    """A box at a wrong place leaves the face and changes what it should not."""
    edited = changed(
        PORTRAIT, (330, 300, 480, 450), lambda part: Image.new("RGB", part.size, "#f0f")
    )
    proof = proven(PORTRAIT, edited, FACE)
    assert proof.verdict == "not_redacted"
    assert proof.outside is not None
    assert not proof.outside.faithful
    assert proof.outside.heat[38:56, 42:60].min() == 255
    assert proof.outside.heat[:37].max() < 128


def test_a_change_outside_is_told() -> None:
    """A face that is gone does not excuse what else was painted over."""
    edited = changed(changed(PORTRAIT, FACE_BOX, black), (330, 300, 480, 450), blur(9))
    assert proven(PORTRAIT, edited, FACE).verdict == "changed_outside"


def test_text_added_outside_is_told() -> None:
    """New words on an empty part of a card are a change."""
    edited = changed(CARD, PHONE_BOX, black)
    ImageDraw.Draw(edited).text((60, 380), "APPROVED", fill="#222", font_size=30)
    assert proven(CARD, edited, PHONE).verdict == "changed_outside"


def test_another_picture_is_told_even_with_the_right_boxes() -> None:
    """Another photo, and another part of the same one, are no edits of this one."""
    for other in (
        scenes.opened("coffee.png").resize(PORTRAIT.size),
        PORTRAIT.crop((120, 40, 420, 340)).resize(PORTRAIT.size),
        PORTRAIT.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    ):
        proof = proven(PORTRAIT, changed(other, FACE_BOX, black), FACE)
        assert proof.verdict == "other_picture"
        assert proof.to_enforce == {0}


def test_a_flat_place_had_nothing_to_hide() -> None:
    """An empty part of a card is proven unedited, and that is said."""
    proof = proven(CARD, CARD, Region((700, 300, 900, 900), "blur", "r"))
    assert proof.verdict == "proven"
    assert proof.regions[0].remaining is not None
    assert proof.regions[0].remaining.flat


def test_nothing_asked_is_proven_by_an_unchanged_picture() -> None:
    """A finding without an edit, and no findings at all, ask for the picture as it was."""
    assert proven(PORTRAIT, PORTRAIT, Region(FACE.box, "none", "r")).verdict == "proven"
    assert proven(PORTRAIT, PORTRAIT).verdict == "proven"
    painted = changed(PORTRAIT, FACE_BOX, black)
    assert proven(PORTRAIT, painted, Region(FACE.box, "none", "r")).verdict == "changed_outside"


def test_a_whole_picture_can_be_a_region() -> None:
    """A blur of everything and a block are proven, no edit of everything is not."""
    everything = Region(None, "blur", "r")
    assert proven(PORTRAIT, blur(70)(PORTRAIT), everything).verdict == "proven"
    assert proven(PORTRAIT, PORTRAIT, everything).verdict == "not_redacted"
    block = Region((10, 10, 20, 20), "block_image", "r")
    assert proven(PORTRAIT, black(PORTRAIT), block).verdict == "proven"
    assert proven(PORTRAIT, PORTRAIT, block).verdict == "not_redacted"


@pytest.mark.parametrize("edit", ["blur", "pixelate", "remove", "box", "block_image"])
def test_where_everything_is_a_region_another_picture_proves_nothing(edit: Edit) -> None:
    """Nothing around tells what picture it is: one colour or the same coarse colours must."""
    regions = [Region(None, edit, "r"), Region((0, 0, 1000, 1000), edit, "r")]
    coarse = "proven" if edit in {"blur", "pixelate"} else "not_redacted"
    for region in regions:
        assert proven(PORTRAIT, CAT, region).verdict == "not_redacted"
        assert proven(PORTRAIT, blur(70)(CAT), region).verdict == "not_redacted"
        assert proven(PORTRAIT, blur(70)(PORTRAIT), region).verdict == coarse
        assert proven(PORTRAIT, black(PORTRAIT), region).verdict == "proven"


@pytest.mark.parametrize(("side", "enforced"), [(24, {0}), (31, {0}), (32, set()), (80, set())])
def test_small_places_are_redacted_here_whatever_they_show(side: int, enforced: set[int]) -> None:
    """A few pixels tell too little to rely on; the place is proven, and not believed."""
    place = Region((0, 0, side, 2 * side), "box", "r")
    square = PORTRAIT.resize((1000, 1000))
    proof = proven(square, changed(square, (0, 0, 2 * side, side), black), place)
    assert proof.verdict == "proven"
    assert proof.to_enforce == enforced


def test_what_a_detector_still_sees_is_not_redacted() -> None:
    """However little the numbers find, and only in that region."""
    seen = replace(FACE, seen=("face",))
    other = Region((700, 100, 900, 300), "blur", "r")
    hidden = changed(changed(PORTRAIT, FACE_BOX, black), (51, 358, 154, 461), black)
    proof = proven(PORTRAIT, hidden, seen, other)
    assert [one.verdict for one in proof.regions] == ["not_redacted", "proven"]
    assert proof.verdict == "not_redacted"
    assert proof.to_enforce == {0}


@pytest.mark.parametrize(
    ("size", "centre"),
    [((512, 512), None), ((1024, 1024), None), ((640, 596), (0.5, 0.5)), ((300, 300), None)],
)
def test_other_dimensions_mean_the_same_place(
    size: tuple[int, int], centre: tuple[float, float] | None
) -> None:
    """Resized and cut to another aspect, a hidden face is proven and a face is found."""
    hidden = changed(PORTRAIT, FACE_BOX, blur(20))
    for image, verdict in ((hidden, "proven"), (PORTRAIT, "not_redacted")):
        edited = (
            image.resize(size) if centre is None else ImageOps.fit(image, size, centering=centre)
        )
        proof = proven(PORTRAIT, edited, FACE)
        assert proof.verdict == verdict
        assert proof.size == (size[1], size[0])
        assert proof.stretch == pytest.approx(size[0] / size[1])


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, -1), (1, 1), (-2, 3)])
def test_a_slight_shift_is_registered(down: int, right: int) -> None:
    """Content that moved by a pixel of 512 is read there, although it nearly fits as it is."""
    moved = np.roll(np.asarray(PORTRAIT), (down, right), (0, 1))
    proof = proven(PORTRAIT, Image.fromarray(moved))
    view = proof.registration.view
    assert not view.straight
    assert view.rows.shift == pytest.approx(down, abs=0.3)
    assert view.columns.shift == pytest.approx(right, abs=0.3)


def test_the_frame_of_the_field_is_registered() -> None:
    """1024 x 858 that came back as 1152 x 896 with its content shifted is read at its place."""
    original = PORTRAIT.resize((1024, 858))
    edited = ImageOps.fit(original, (1152, 896), centering=(0.5, 0.2))
    proof = proven(original, edited)
    assert proof.verdict == "proven"
    rows, columns = proof.registration.view.rows, proof.registration.view.columns
    assert rows.scale == pytest.approx(1.125, abs=0.003)
    assert columns.scale == pytest.approx(1.125, abs=0.003)
    assert rows.shift == pytest.approx(-0.2 * (858 * 1.125 - 896), abs=1.5)


def test_a_region_must_be_a_box() -> None:
    """A box that is inside out or leaves the picture is refused."""
    for box in ((500, 0, 400, 10), (0, 0, 10, 1001), (-1, 0, 10, 10)):
        with pytest.raises(ValueError, match="is no box"):
            Region(box, "blur", "r")
