"""Makes the final picture: the edit's pixels inside the regions, the original's elsewhere."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from service.proof import Edit, Pixels, Rect, Region
from service.proof.redacting import STRENGTH, TEXTURED, redact
from service.proof.remaining import remaining
from service.proof.sampling import View

_MAX_FEATHER = 8


def confine(
    original: Pixels, edited: View, regions: Sequence[Region], *, enforce: Collection[int] = ()
) -> Pixels:
    """
    Combine an edited picture with its original.

    Args:
        original: Height x width x 3; left as it is.
        edited: The edited picture on the original's coordinates, ``Registration.view``.
        regions: Those with the edit ``none`` stay the original's.
        enforce: Indices of the regions whose rule's own edit is made here instead; a box, where a
            detector saw what the edit should have hidden.

    Returns:
        A new picture of the original's size.  No pixel outside the regions differs from the
        original's: edits fade in over at most 8 px inside of the region, over no more than its
        margin, and enforced ones do not fade at all.
    """
    final = original.copy()
    whole = Rect.whole(original)
    changing = [
        (at, "box" if region.seen else region.edit, region.rect(whole))
        for at, region in enumerate(regions)
        if region.edit != "none"
    ]
    for at, _, rect in changing:
        if at not in enforce:
            _blend(final, edited, rect, whole)
    enforced = [(edit, rect) for at, edit, rect in changing if at in enforce]
    for edit, rect in sorted(enforced, key=lambda one: STRENGTH.index(one[0])):
        redact(final, original, rect, edit)
        if edit in TEXTURED and not _gone(final, original, rect, edit):
            redact(final, original, rect, "box")
    return final


def _gone(final: Pixels, original: Pixels, rect: Rect, edit: Edit) -> bool:
    """Look at an enforced edit as a proof would: some few bright pixels survive any mosaic."""
    before, after = View.of(original[rect.slices]), View.of(final[rect.slices])
    return remaining(before, after, Rect.whole(before.pixels), edit).gone


def _blend(final: Pixels, edited: View, rect: Rect, whole: Rect) -> None:
    """
    Fade from what is there to the edit, along the edges that are not the picture's own.

    It starts from what is there and not from the original, so that a region laid over another one
    brings nothing back.
    """
    feather = min(_MAX_FEATHER, rect.margin)
    inside = edited.window(rect)
    rows = _ramp(rect.height, feather, rect.top > whole.top, rect.bottom < whole.bottom)
    columns = _ramp(rect.width, feather, rect.left > whole.left, rect.right < whole.right)
    target = final[rect.slices]
    inner = Rect(feather, feather, rect.height - feather, rect.width - feather)
    target[inner.slices] = inside[inner.slices]
    for strip in _edges(rect, feather):
        weight = np.minimum.outer(rows[strip[0]], columns[strip[1]])[..., None]
        mixed = target[strip] * (256 - weight) + inside[strip] * weight
        target[strip] = (mixed + 128) >> 8


def _ramp(count: int, feather: int, first: bool, last: bool) -> NDArray[np.uint16]:  # noqa: FBT001
    ramp = np.full(count, 256, np.uint16)
    steps = (np.arange(1, feather + 1) * 256 // (feather + 1)).astype(np.uint16)
    if first:
        ramp[:feather] = steps
    if last and feather:
        ramp[-feather:] = np.minimum(ramp[-feather:], steps[::-1])
    return ramp


def _edges(rect: Rect, width: int) -> Iterator[tuple[slice, slice]]:
    """Give the four strips of an edge once each."""
    if width:
        across, between = slice(0, rect.width), slice(width, rect.height - width)
        yield slice(0, width), across
        yield slice(rect.height - width, rect.height), across
        yield between, slice(0, width)
        yield between, slice(rect.width - width, rect.width)
