"""Proves what an edit did: is it the picture, is what had to go gone, is the rest untouched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.proof import Pixels, Rect, Region
from service.proof.outside import Outside, outside
from service.proof.pdq import pdq
from service.proof.placing import thumbnail
from service.proof.redacting import TEXTURED
from service.proof.registering import Registration, register
from service.proof.remaining import Remaining, remaining
from service.proof.sampling import View, box_mean

Verdict = Literal["proven", "changed_outside", "not_redacted", "other_picture"]

_SEEN_ELSEWHERE = 0.5  # the right framing shows nearly all, a wrong one now and then something
_TELLING = 32  # px of the shorter side; of places below it some false edits pass as proper
_FLAT = 4.0  # of 255; what a coded box of one colour stays below
_COARSE = 8  # cells a side, which blurs and mosaics of a whole picture keep
_MAX_UNLIKE = 0.6  # of the contrast; two different ones of 32 pictures differ by 0.73 and more
_HASHED = 128  # px a side: the hash itself looks at 64 x 64 samples


@dataclass(frozen=True, slots=True)
class RegionProof:
    """
    One region's verdict; ``remaining`` is None where nothing was asked or measured.

    ``small``: it has too few pixels for the numbers to be sure.
    """

    region: Region
    verdict: Literal["proven", "not_redacted"]
    remaining: Remaining | None
    small: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What an edit did to a picture.

    Args:
        verdict: The worst that holds.
        regions: In the order they were given.
        outside: None where the pictures could not be registered.
        size: Height and width of the edited picture.
        stretch: Its aspect ratio (width over height) divided by the original's.
        distance: PDQ bits that differ, of 256; both were hashed at no more than 128 px a side.
    """

    verdict: Verdict
    regions: tuple[RegionProof, ...]
    registration: Registration
    outside: Outside | None
    size: tuple[int, int]
    stretch: float
    distance: int

    @property
    def to_enforce(self) -> frozenset[int]:
        """Name by index the regions whose rule's edit has to be enforced."""
        return frozenset(
            at for at, one in enumerate(self.regions) if one.small or one.verdict == "not_redacted"
        )


def prove(original: Pixels, edited: Pixels, regions: Sequence[Region]) -> Proof:
    """
    Compare an edited picture with its original (both height x width x 3, 0 to 255, sRGB).

    Regions of another picture prove nothing, so with the verdict ``other_picture`` none of them
    counts as redacted.
    """
    whole = Rect.whole(original)
    edits = [(region, region.rect(whole)) for region in regions]
    rects = [rect for region, rect in edits if region.edit != "none"]
    before, after = View.of(original), View.of(edited)
    registration = register(before, after, rects)
    around = outside(before, registration.view, rects) if registration.same else None
    alone = around is not None and not around.tiles
    proofs = tuple(_proof(before, registration, *one, alone=alone) for one in edits)
    return Proof(
        _verdict(registration, around, proofs),
        proofs,
        registration,
        around,
        (edited.shape[0], edited.shape[1]),
        (edited.shape[1] / edited.shape[0]) / (original.shape[1] / original.shape[0]),
        pdq(thumbnail(before, _HASHED)).distance(pdq(thumbnail(after, _HASHED))),
    )


def _proof(
    original: View, registration: Registration, region: Region, rect: Rect, *, alone: bool
) -> RegionProof:
    """Prove one region; ``alone`` if nothing around the regions tells what picture it is."""
    if region.edit == "none":
        return RegionProof(region, "proven", None)
    if not registration.same:
        return RegionProof(region, "not_redacted", None)
    found = remaining(original, registration.view, rect, region.edit)
    # What a detector still sees is not hidden, however little of it is left.
    if region.seen or not found.gone or (alone and not _derived(original, registration, region)):
        return RegionProof(region, "not_redacted", found)
    for view in registration.doubted:
        elsewhere = remaining(original, view, rect, region.edit)
        if elsewhere.most > _SEEN_ELSEWHERE:
            return RegionProof(region, "not_redacted", elsewhere)
    small = rect.short < _TELLING and not found.flat
    return RegionProof(region, "proven", found, small=small)


def _derived(original: View, registration: Registration, region: Region) -> bool:
    """Tell whether an edit of everything is of one colour, or a blur of just these colours."""
    rect = region.rect(Rect.whole(original.pixels))
    fine = registration.view.sample(rect, (_COARSE**2, _COARSE**2))
    if fine.std(axis=(1, 2)).max() < _FLAT:
        return True
    if region.edit not in TEXTURED:
        return False
    before = original.sample(rect, (_COARSE, _COARSE))
    after = registration.view.sample(rect, (_COARSE, _COARSE))
    contrast = np.sqrt(((after - after.mean(axis=(1, 2), keepdims=True)) ** 2).mean())
    strengths = range(1, _COARSE + 2, 2)
    errors = [np.sqrt(((box_mean(before, one) - after) ** 2).mean()) for one in strengths]
    return bool(min(errors) < _MAX_UNLIKE * contrast)


def _verdict(
    registration: Registration, around: Outside | None, proofs: tuple[RegionProof, ...]
) -> Verdict:
    if not registration.same or around is None:
        return "other_picture"
    if any(one.verdict == "not_redacted" for one in proofs):
        return "not_redacted"
    return "proven" if around.faithful else "changed_outside"
