"""The proof of an edit, the final picture that follows from it, and what it means for a verdict."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.pictures import headers
from service.pictures.pool import Decoders, Picture
from service.policy import descriptions
from service.policy.descriptions import Judgement
from service.policy.rulesets import Ruleset
from service.store import images
from service.store.proofs import Proof

THUMBNAIL_SIDE = 256


@dataclass(frozen=True, slots=True)
class Handling:
    """
    What is done with edits.

    ``enforce``: what the proof says decides over picture and verdict, else it is only written down;
    ``keep_raw``: the upstream's own picture is kept beside the final one.
    """

    enforce: bool = True
    keep_raw: bool = False


ENFORCED = Handling()


async def prove(
    decoders: Decoders,
    ruleset: Ruleset,
    original: bytes,
    edited: bytes,
    description: Mapping[str, Any],
    *,
    confined: bool,
) -> tuple[Proof, Picture | None]:
    """
    Compare the edit with the picture that was sent, in the places that the description names.

    Returns:
        The proof, and the final picture, which there is none of another picture.

    Raises:
        Unreadable: The edited file cannot be decoded.
        LocalFault: This machine failed.
    """
    edits = {rule.id: rule.edit for rule in ruleset.rules}
    # The rule says how a place is edited; the model only says that it did so.
    regions = [
        (finding["box_2d"], edits[finding["rule"]], finding["rule"])
        for finding in description["findings"]
    ]
    finished = await decoders.finish(
        original, edited, regions, confined=confined, thumbnail_side=THUMBNAIL_SIDE
    )
    heat = _map(finished.heat) if finished.heat else None
    proof = Proof(finished.verdict, confined, finished.facts, heat)
    return proof, finished.picture


def _map(data: bytes) -> images.Image:
    """Name a map of change as it is stored."""
    header = headers.read(data)
    shape = (header.width, header.height, header.frames)
    return images.Image(hashlib.sha256(data).digest(), header.mime, *shape, data)


def judged(judgement: Judgement, proof: Proof, ruleset: Ruleset) -> Judgement:
    """Hold what was published as it came without being proven; what is confined is our own."""
    if proof.confined or proof.verdict == "proven":
        return judgement
    outside = proof.facts["outside"]
    allowed = ruleset.max_changed_outside
    if proof.verdict == "changed_outside" and allowed is not None:
        share = outside["changed"] / max(1, outside["tiles"])
        return judgement if share <= allowed else descriptions.held(judgement)
    return descriptions.held(judgement)
