"""The proof of an edit, the final picture that follows from it, and what it means for a verdict."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from service.local import Box, Sighting
from service.looking import Detectors, Looked
from service.pictures import headers
from service.pictures.pool import Decoders, Finished, Picture, Place
from service.policy import descriptions
from service.policy.descriptions import Judgement
from service.policy.rulesets import Ruleset
from service.store import images
from service.store.proofs import Proof

THUMBNAIL_SIDE = 256
_COVERED = 0.5  # share of a thing that must lie in a place to be what the place should hide


class Prover:
    """Proves edits; what it is given is opened and closed by the composition root."""

    def __init__(self, decoders: Decoders, detectors: Detectors) -> None:
        self._decoders, self._detectors = decoders, detectors

    async def prove(
        self, ruleset: Ruleset, original: bytes, edited: bytes, description: Mapping[str, Any]
    ) -> tuple[Proof, Picture | None]:
        """
        Compare the edit with the picture that was sent, in the places that the description names.

        What detectors still see in such a place of the final picture is hidden under a box.

        Returns:
            The proof, and the final picture, which there is none of another picture.

        Raises:
            Unreadable: The edited file cannot be decoded.
            LocalFault: This machine failed.
        """
        finish = partial(
            self._decoders.finish,
            original,
            edited,
            confined=ruleset.confine,
            thumbnail_side=THUMBNAIL_SIDE,
        )
        places = _places(ruleset, description)
        finished = await finish(places)
        if finished.picture is None:
            return _proof(finished, ruleset, None), None
        hidden = any(edit not in ("none", "block_image") for _, edit, _, _ in places)
        looked = await self._detectors.look(original, finished.picture.data if hidden else None)
        seen = list(_seen(finished.facts["regions"], finished.picture, looked.sightings))
        if any(seen):
            finished = await finish(
                [(*place[:3], kinds) for place, kinds in zip(places, seen, strict=True)]
            )
        return _proof(finished, ruleset, looked), finished.picture


def _places(ruleset: Ruleset, description: Mapping[str, Any]) -> list[Place]:
    """Name the places; the rule says how one is edited, the model only says that it did so."""
    edits = {rule.id: rule.edit for rule in ruleset.rules}
    return [
        (finding["box_2d"], edits[finding["rule"]], finding["rule"], ())
        for finding in description["findings"]
    ]


def _seen(
    regions: Sequence[Mapping[str, Any]], picture: Picture, sightings: Sequence[Sighting]
) -> Iterator[list[str]]:
    """Give the kinds, whatever the rule is about, still seen in each place of the final picture."""
    for region in regions:
        if region["edit"] in ("none", "block_image"):
            yield []
            continue
        ymin, xmin, ymax, xmax = region["final_box_2d"] or (0, 0, 1000, 1000)
        place = Box(
            xmin * picture.width // 1000,
            ymin * picture.height // 1000,
            -(-xmax * picture.width // 1000),
            -(-ymax * picture.height // 1000),
        )
        yield sorted(
            {one.kind for one in sightings if one.box.shared(place) >= _COVERED * one.box.area}
        )


def _proof(finished: Finished, ruleset: Ruleset, looked: Looked | None) -> Proof:
    facts = dict(finished.facts)
    if looked is not None:
        facts |= {"detectors": looked.state, "text_to_model": list(looked.text_to_model)}
    heat = _map(finished.heat) if finished.heat else None
    return Proof(finished.verdict, ruleset.confine, facts, heat)


def _map(data: bytes) -> images.Image:
    """Name a map of change as it is stored."""
    header = headers.read(data)
    shape = (header.width, header.height, header.frames)
    return images.Image(hashlib.sha256(data).digest(), header.mime, *shape, data)


def judged(judgement: Judgement, proof: Proof, ruleset: Ruleset) -> Judgement:
    """
    Hold what was published as it came without being proven; what is confined is our own.

    Text that addresses the model, and detectors that failed to look, hold as well.
    """
    facts = proof.facts
    if facts["text_to_model"] or facts["detectors"] == "failed":
        return descriptions.held(judgement)
    if proof.confined or proof.verdict == "proven":
        return judgement
    outside = facts["outside"]
    allowed = ruleset.max_changed_outside
    if proof.verdict == "changed_outside" and allowed is not None:
        share = outside["changed"] / max(1, outside["tiles"])
        return judgement if share <= allowed else descriptions.held(judgement)
    return descriptions.held(judgement)
