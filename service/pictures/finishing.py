"""
Proves an edit and makes the final picture of it.
It runs in the limited child, since both pictures are decoded here.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from service.pictures.canonical import as_it_is, decoded, encoded, refusals
from service.pictures.wire import Finished
from service.proof import FULL, Box, Rect, Region
from service.proof.confining import confine
from service.proof.outside import Outside
from service.proof.proving import Proof, RegionProof, prove
from service.proof.sampling import View


def finish(
    original: bytes,
    edited: bytes,
    regions: Sequence[Region],
    *,
    confined: bool,
    thumbnail_side: int,
) -> Finished:
    """
    Compare an edited file with the canonical picture it was made of.

    Args:
        original: The canonical picture's file.
        edited: The file that the upstream gave.
        confined: The final picture takes the edit's pixels inside the regions only, and has the
            rule's own edit where the upstream's proves nothing; the original's own file, if that
            changes nothing.  Else it is the edit as it came.

    Raises:
        Unreadable: The edited file cannot be decoded.
    """
    with refusals():
        before, header, shown = decoded(original)
        after, _, _ = decoded(edited)
        pixels, changed = np.asarray(before), np.asarray(after)
        proof = prove(pixels, changed, regions)
        heat = _grey_png(proof.outside) if proof.outside else None
        facts = _facts(proof, Rect.whole(pixels), confined=confined)
        if proof.verdict == "other_picture":
            return Finished(facts, heat, None)
        if confined:
            changed = confine(pixels, proof.registration.view, regions, enforce=proof.to_enforce)
        if confined and np.array_equal(changed, pixels):
            # Coded anew, it would only lose.
            final = as_it_is(original, header, before, shown, thumbnail_side)
        else:
            image = Image.fromarray(changed)
            final = encoded(image, shown, lossless=header.lossless, thumbnail_side=thumbnail_side)
        return Finished(facts, heat, final)


def _grey_png(outside: Outside) -> bytes:
    file = io.BytesIO()
    Image.fromarray(outside.heat).save(file, "PNG")
    return file.getvalue()


def _facts(proof: Proof, whole: Rect, *, confined: bool) -> dict[str, Any]:
    outside, view = proof.outside, proof.registration.view
    return {
        "verdict": proof.verdict,
        "agreement": round(proof.registration.agreement, 4),
        "size": list(proof.size),
        "stretch": round(proof.stretch, 4),
        "pdq_distance": proof.distance,
        "outside": {"tiles": outside.tiles, "changed": outside.changed} if outside else None,
        "regions": [
            _region(one)
            | {
                "enforced": confined and at in proof.to_enforce,
                "final_box_2d": one.region.box
                if confined
                else _placed(one.region.box, whole, view),
            }
            for at, one in enumerate(proof.regions)
        ],
    }


def _region(one: RegionProof) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "rule": one.region.rule,
        "box_2d": one.region.box,
        "edit": one.region.edit,
        "verdict": one.verdict,
        "seen": list(one.region.seen),
    }
    if one.remaining is not None:
        left = [None if share is None else round(share, 4) for share in one.remaining.left]
        facts |= {"left": left, "moved": round(one.remaining.moved, 4)}
    return facts


def _placed(box: Box | None, whole: Rect, view: View) -> list[int] | None:
    """Tell where a region of the original lies in the edited picture, in thousandths of that."""
    if box is None:
        return None
    ymin, xmin, ymax, xmax = (share / FULL for share in box)
    tall, wide, _ = view.pixels.shape
    ys = view.rows(np.array([ymin, ymax]) * whole.height) / tall
    xs = view.columns(np.array([xmin, xmax]) * whole.width) / wide
    corners = np.rint(np.clip([ys[0], xs[0], ys[1], xs[1]], 0, 1) * FULL)
    return [int(one) for one in corners]
