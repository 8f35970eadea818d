"""Writes the description that is answered beside the picture."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from service.local import Box, Rule, Sighting

_GRID = 1000
_DONE = {
    "none": "reported",
    "blur": "blurred",
    "pixelate": "pixelated",
    "box": "covered with a box",
    "block_image": "blocked with the whole picture",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One sighting that breaks one rule; ``area`` is what was changed, None for all of it."""

    rule: Rule
    sighting: Sighting
    area: Box | None
    edit: str


@dataclass(frozen=True, slots=True)
class Account:
    """All that is told about one picture of ``size`` (width, height) pixels."""

    size: tuple[int, int]
    findings: Sequence[Finding]
    not_assessed: Sequence[str]
    text_to_model: Sequence[str]
    text_lines: int


def write(account: Account) -> str:
    """
    Return the description as JSON text; it repeats no personal data.

    Boxes are [ymin, xmin, ymax, xmax] in thousandths of the picture, never empty.
    """
    findings = [
        {
            "rule": finding.rule.id,
            "rationale": _rationale(finding.sighting.note),
            "severity": finding.rule.severity,
            "confidence": finding.sighting.confidence,
            "box_2d": _thousandths(finding.area, account.size) if finding.area else None,
            "edit": finding.edit,
        }
        for finding in account.findings
    ]
    return json.dumps(
        {
            "summary": _summary(account),
            "alt_text": _alt_text(account),
            "findings": findings,
            "not_assessed": list(account.not_assessed),
            "text_to_model": list(account.text_to_model),
        },
        ensure_ascii=False,
    )


def _rationale(note: str) -> str:
    article = "an" if note[0].lower() in "aeiou" else "a"
    return f"The picture shows {article} {note}."


def _summary(account: Account) -> str:
    """Count what was found by kind and edit."""
    if not account.findings:
        said = "Nothing was found by the detectors that the rules asked for."
    else:
        counts = Counter((one.sighting.kind, one.edit) for one in account.findings)
        parts = [
            f"{kind.replace('_', ' ')} x {count} ({_DONE[edit]})"
            for (kind, edit), count in counts.items()
        ]
        said = f"Found {', '.join(parts)}."
    if account.not_assessed:
        said += f" Not assessed: {', '.join(account.not_assessed)}."
    return said


def _alt_text(account: Account) -> str:
    """Say what detectors can say of the edited picture: its size, its text, what is hidden."""
    width, height = account.size
    edits = [one.edit for one in account.findings if one.edit != "none"]
    if "block_image" in edits:
        return f"A black picture of {width} x {height} pixels; all of it was blocked."
    said = f"A picture of {width} x {height} pixels"
    if account.text_lines:
        lines = "line" if account.text_lines == 1 else "lines"
        said += f" with {account.text_lines} {lines} of text"
    if edits:
        done = ", ".join(f"{count} {_DONE[edit]}" for edit, count in Counter(edits).items())
        said += f"; places changed: {done}"
    return f"{said}."


def _thousandths(box: Box, size: tuple[int, int]) -> list[int]:
    """Scale outwards, so that rounding never uncovers a part; a sliver still gets one step."""
    width, height = size
    top, bottom = box.top * _GRID // height, -(-box.bottom * _GRID // height)
    left, right = box.left * _GRID // width, -(-box.right * _GRID // width)
    top, left = min(top, _GRID - 1), min(left, _GRID - 1)
    return [top, left, max(bottom, top + 1), max(right, left + 1)]
