"""Runs the detectors on one picture, edits what they see, looks again, and describes the result."""

import functools

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.local import (
    HINTS,
    Box,
    Edited,
    Job,
    Look,
    Rule,
    Seen,
    Sighting,
    addressed,
    codes,
    description,
    instructions,
    pictures,
    redaction,
    text,
)
from service.local.description import Account, Finding
from service.local.faces import FaceFinder
from service.local.nudity import NudityFinder

_CODES = frozenset({"qr_code", "barcode"})


class Engine:
    """All detectors of one process, loaded once."""

    def __init__(self) -> None:
        # The pool scales by processes; threads inside one would only compete with the others.
        cv2.setNumThreads(1)
        self._faces = FaceFinder()
        self._reader = text.Reader()
        self._nudity = NudityFinder.installed()
        self.kinds = frozenset(HINTS) - (frozenset() if self._nudity else {"nudity"})

    def edit(self, job: Job, *, redact: bool = True) -> Edited:
        """
        Do one edit from bytes to bytes; without ``redact`` it is told as if done, and not done.

        Raises:
            RequestRefused: The picture or the prompt cannot be used.
            DetectorFailed: A detector gave no usable answer.
        """
        orders = instructions.read(job.prompt)
        picture = pictures.decode(job.image)
        wanted = frozenset(hint for rule in orders.rules for hint in rule.hints)
        pixels = np.asarray(picture.image)
        lines = self._reader.lines(pixels)
        seen = self._find(pixels, lines, wanted & self.kinds)
        findings = _judged(orders.rules, seen, picture.image.size)
        if redact:
            findings = self._redacted(picture.image, findings)
        image, output_format = pictures.encode(picture, job.output_format)
        account = Account(
            size=picture.image.size,
            findings=findings,
            not_assessed=[
                *(rule.id for rule in orders.rules if not self._assesses(rule)),
                *orders.unread,
            ],
            text_to_model=addressed.read(pixels, lines, self._reader),
            text_lines=len(lines),
        )
        width, height = picture.image.size
        return Edited(image, output_format, width, height, description.write(account))

    def look(self, look: Look) -> Seen:
        """
        Look at one picture without editing it.

        Raises:
            RequestRefused: It is no picture that can be used.
            DetectorFailed: A detector gave no usable answer.
        """
        pixels = np.asarray(pictures.decode(look.image).image)
        lines = self._reader.lines(pixels)
        height, width = pixels.shape[:2]
        return Seen(
            sightings=tuple(self._find(pixels, lines, self.kinds)) if look.things else (),
            text_to_model=tuple(addressed.read(pixels, lines, self._reader)) if look.text else (),
            width=width,
            height=height,
        )

    def _assesses(self, rule: Rule) -> bool:
        return bool(rule.hints) and self.kinds.issuperset(rule.hints)

    def _find(
        self, pixels: NDArray[np.uint8], lines: list[text.Line], kinds: frozenset[str]
    ) -> list[Sighting]:
        """Run the detectors that the kinds need and keep only what was asked for."""
        seen = text.personal(lines)
        if "face" in kinds:
            seen += self._faces.find(pixels)
        if kinds & _CODES:
            seen += codes.find(pixels)
        if self._nudity and "nudity" in kinds:
            seen += self._nudity.find(pixels)
        return [one for one in seen if one.kind in kinds]

    def _redacted(self, image: Image.Image, findings: list[Finding]) -> list[Finding]:
        """Change the picture, look again, and box what a detector still sees."""
        changing = [one for one in findings if one.edit != "none"]
        for one in sorted(changing, key=lambda one: redaction.STRENGTH.index(one.edit)):
            redaction.apply(image, one.area or Box(0, 0, *image.size), one.edit)
        if not changing or any(one.edit == "block_image" for one in changing):
            return findings
        for sighting in self._still_seen(image, changing):
            findings = _boxed(image, findings, sighting)
        return findings

    def _still_seen(self, image: Image.Image, changed: list[Finding]) -> list[Sighting]:
        """Look for the kinds that were changed: faces near their places, all else everywhere."""
        kinds = frozenset(one.sighting.kind for one in changed)
        pixels = np.asarray(image)
        lines = self._reader.lines(pixels) if kinds - _CODES - {"face", "nudity"} else []
        seen = self._find(pixels, lines, kinds - {"face"})
        for one in changed:
            if one.sighting.kind == "face" and one.area:
                near = one.area.grown(one.area.width // 2, one.area.height // 2, image.size)
                crop = pixels[near.top : near.bottom, near.left : near.right]
                faces = self._faces.find(np.ascontiguousarray(crop))
                seen += [
                    Sighting(
                        face.kind, face.box.moved(near.left, near.top), face.confidence, face.note
                    )
                    for face in faces
                ]
        return seen


@functools.cache
def loaded() -> Engine:
    """Return this process's engine, loading its models at the first call."""
    return Engine()


def _judged(rules: tuple[Rule, ...], seen: list[Sighting], size: tuple[int, int]) -> list[Finding]:
    """Pair each sighting with every rule that looks for its kind."""
    found = []
    for rule in rules:
        edit = redaction.performed(rule.edit)
        for one in seen:
            if one.kind in rule.hints:
                area = None if edit == "block_image" else redaction.padded(one, size)
                found.append(Finding(rule, one, area, edit))
    return found


def _boxed(image: Image.Image, findings: list[Finding], seen: Sighting) -> list[Finding]:
    """
    Box what was seen in the edited picture and tell it in the findings of its place.

    A sighting outside of all places is new; it is told under the rules that look for its kind.
    """
    area = redaction.padded(seen, image.size)
    told = [
        one
        for one in findings
        if one.area
        and one.edit != "none"
        and one.sighting.kind == seen.kind
        and one.area.shared(area)
    ]
    whole = Box.hull([area, *(one.area for one in told if one.area)])
    redaction.apply(image, whole, "box")
    if told:
        return [
            Finding(one.rule, one.sighting, whole, "box") if one in told else one
            for one in findings
        ]
    rules = dict.fromkeys(
        one.rule for one in findings if seen.kind in one.rule.hints and one.edit != "none"
    )
    return [*findings, *(Finding(rule, seen, area, "box") for rule in rules)]
