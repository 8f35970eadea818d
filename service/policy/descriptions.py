"""Descriptions: the schema a version asks for, the check of an answer and what follows from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import fastjsonschema
from fastjsonschema import JsonSchemaValueException
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from service.errors import ServiceError
from service.policy import strict_json, verdicts
from service.policy.rulesets import Outcome, Ruleset, Verdict
from service.policy.strict_json import JsonRefused

MAX_REASONS: Final = 5
MAX_REASON_CHARACTERS: Final = 300


class DescriptionInvalid(ServiceError):
    """The answer is no description of this ruleset; ``reasons`` says why, at most five, bounded."""

    code = "invalid_description"

    def __init__(self, *reasons: str) -> None:
        self.reasons = tuple(_bounded(reason) for reason in reasons[:MAX_REASONS])
        super().__init__(" ".join(self.reasons))


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What a description means under its ruleset.

    ``severity`` is the greatest of the findings, 0 without any; ``rules`` are their distinct
    ids in alphabetical order.
    """

    outcome: Outcome
    verdict: Verdict
    severity: int
    rules: tuple[str, ...]


def schema(ruleset: Ruleset) -> dict[str, Any]:
    """
    Generate the JSON Schema (draft 2020-12) that answers under this ruleset must fit.

    Only the ids of its rules that are on fit, so an invented rule is refused.  Rationale stands
    before severity, because models that reason first rate better (LlavaGuard's prompts since v13).
    """
    return _of_rules([rule.id for rule in ruleset.judged])


def _of_rules(ids: Sequence[str]) -> dict[str, Any]:
    finding = _closed(
        {
            "rule": {"enum": ids},
            "rationale": _text(4000),
            "severity": {"type": "integer", "minimum": 1, "maximum": 4},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "box_2d": {
                "type": ["array", "null"],
                "items": {"type": "integer", "minimum": 0, "maximum": 1000},
                "minItems": 4,
                "maxItems": 4,
            },
            "edit": _text(200),
        }
    )
    # jsonschema compares every two of mixed values for uniqueItems, so the length is bounded and
    # checked before it.
    not_assessed = {"type": "array", "items": {"enum": ids}, "maxItems": len(ids)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_closed(
            {
                "summary": _text(4000),
                "alt_text": _text(4000),
                "findings": {"type": "array", "items": finding, "maxItems": 200},
                "not_assessed": {**not_assessed, "uniqueItems": True},
                "text_to_model": {"type": "array", "items": _text(2000), "maxItems": 100},
            }
        ),
    }


def parse(text: str | bytes) -> tuple[dict[str, Any], bool]:
    """
    Read the text that came with a picture as one JSON object, strictly.

    Returns:
        The object, not yet checked against a schema, and whether the one lenient step was needed
        (a code fence or prose around the object was stripped), which callers count.

    Raises:
        DescriptionInvalid: Whatever ``strict_json.read`` refuses.
    """
    try:
        return strict_json.read(text)
    except JsonRefused as error:
        raise DescriptionInvalid(str(error)) from error


class Checker:
    """The judge of all descriptions of one version; compile it once and keep it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # Without an empty registry jsonschema fetches a $ref from wherever it points to.
        self._validator = Draft202012Validator(dict(schema), registry=Registry())
        self._quick = _quick(schema)

    def check(self, document: object) -> None:
        """
        Raise DescriptionInvalid unless the document, parsed JSON, fits and its boxes are boxes.

        What the quick check accepts needs no judge; whatever it does not is jsonschema's to judge
        and to explain.
        """
        errors = [] if self._accepts_at_once(document) else self._errors(document)
        reasons = [_reason(error) for error in errors] or list(_bad_boxes(document))
        if reasons:
            raise DescriptionInvalid(*reasons)

    def _accepts_at_once(self, document: object) -> bool:
        if self._quick is None:
            return False
        try:
            self._quick(document)
        except (JsonSchemaValueException, RecursionError):
            # What nests deep takes the quick check more levels of Python than it takes jsonschema.
            # A MemoryError goes through: it is the machine's fault and says nothing of the answer.
            return False
        return True

    def _errors(self, document: object) -> list[ValidationError]:
        try:
            # The errors come lazily, so a large document with many faults costs no more.
            return list(islice(self._validator.iter_errors(document), MAX_REASONS))
        except Unresolvable as error:
            raise DescriptionInvalid(f"The schema points outside itself: {error}.") from error


def judge(description: Mapping[str, Any], ruleset: Ruleset) -> Judgement:
    """
    Say what a checked description means under its ruleset.

    The strictest rule verdict among the findings counts; without findings ``on_clean``.  What was
    not assessed, or text that addressed the model, forces at least ``hold``.

    Raises:
        DescriptionInvalid: A finding names a rule that the ruleset has not, or that is off.
    """
    own = {rule.id: rule.verdict for rule in ruleset.judged}
    findings = description["findings"]
    named = {finding["rule"] for finding in findings}
    if unknown := sorted(named - own.keys()):
        raise DescriptionInvalid(
            f"Rule {unknown[0]!r} is not in ruleset {ruleset.name}, or is off there."
        )
    found = [own[rule] for rule in named]
    outcome = verdicts.outcome(found)
    verdict = verdicts.strictest(found) if found else ruleset.on_clean
    if description["not_assessed"] or description["text_to_model"]:
        verdict = verdicts.strictest([verdict, "hold"])
    if description["not_assessed"] and outcome == "clean":
        outcome = "not_assessed"
    return Judgement(
        outcome=outcome,
        verdict=verdict,
        severity=max((finding["severity"] for finding in findings), default=0),
        rules=tuple(sorted(named)),
    )


def of_frames(judgement: Judgement, frames: int, seen: int) -> Judgement:
    """
    Hold a file of several frames unless each of them was seen and found clean.

    What was judged is a contact sheet: an edited one can never be published as the animation.
    """
    clean = judgement.outcome == "clean"
    if frames == 1 or (seen >= frames and clean and judgement.verdict != "allow_edited"):
        return judgement
    unknown = clean and seen < frames
    return held(replace(judgement, outcome="not_assessed") if unknown else judgement)


def held(judgement: Judgement) -> Judgement:
    """Let a person decide, whatever else was found."""
    return replace(judgement, verdict=verdicts.strictest([judgement.verdict, "hold"]))


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _quick(schema: Mapping[str, Any]) -> Callable[[object], object] | None:
    """
    Compile the check that takes a twentieth of the time, if the schema is as we generate it.

    For these alone the tests show that it agrees with jsonschema, and only in these can neither a
    reference be fetched nor a pattern take long.
    """
    try:
        ids = schema["properties"]["not_assessed"]["items"]["enum"]
        ours = _of_rules([*ids])
    except (KeyError, TypeError):
        return None
    # Python takes 1 and True for the same, JSON Schema does not.
    if ours != schema or not all(isinstance(rule, str) for rule in ids):
        return None
    # It knows the drafts up to 2019-09, where all that we use means what it means in 2020-12.
    return fastjsonschema.compile(
        ours, use_default=False, use_formats=False, detailed_exceptions=False
    )


def _text(longest: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": longest}


def _reason(error: ValidationError) -> str:
    where = error.json_path.removeprefix("$").removeprefix(".") or "The description"
    return f"{where}: {error.message}."


def _bad_boxes(document: Any) -> Iterator[str]:
    """Yield a reason for each box without area; the document fits the schema already."""
    for index, finding in enumerate(document.get("findings", ())):
        if finding["box_2d"] is None:
            continue
        top, left, bottom, right = finding["box_2d"]
        if top >= bottom or left >= right:
            yield (
                f"findings[{index}].box_2d: {finding['box_2d']} has no area;"
                " [ymin, xmin, ymax, xmax] with ymin < ymax and xmin < xmax is needed."
            )


def _bounded(reason: str) -> str:
    if len(reason) <= MAX_REASON_CHARACTERS:
        return reason
    # Both ends are kept: jsonschema prints the value first and what is wrong with it last.
    half = MAX_REASON_CHARACTERS // 2 - 1
    return f"{reason[:half]}…{reason[-half:]}"
