"""Rulesets: what a policy person writes, read from YAML with every fault named at its place."""

import hashlib
import json
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from service.errors import InputRefused
from service.policy import yaml_nodes
from service.policy.taxonomies import AiluminateUid, DsaName
from service.policy.text import Item, Prose, Title
from service.policy.yaml_nodes import Document, Fault, Path, Place

Severity = Literal["low", "medium", "high", "critical"]
Edit = Literal["none", "blur", "pixelate", "box", "remove", "block_image"]
Verdict = Literal["allow", "allow_edited", "hold", "block"]

# What is wrong more often than this is not a ruleset; the answer stays small.
MAX_FAULTS: Final = 500

SEVERITIES: Final[Mapping[str, int]] = {"low": 1, "medium": 2, "high": 3, "critical": 4}

_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
_ID = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_DETECTOR = r"^[a-z][a-z_]{0,39}$"
_MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$"
RulesetName = Annotated[str, StringConstraints(pattern=_NAME)]
RuleId = Annotated[str, StringConstraints(pattern=_ID)]
Detector = Annotated[str, StringConstraints(pattern=_DETECTOR)]
ModelName = Annotated[str, StringConstraints(pattern=_MODEL)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Categories(_Strict):
    """What a rule is called elsewhere: AILuminate uids and DSA category or keyword names."""

    ailuminate: list[AiluminateUid] = Field([], max_length=20)
    dsa: list[DsaName] = Field([], max_length=20)


class Rule(_Strict):
    """One rule; its id never changes, since records and reviews point at it."""

    id: RuleId
    title: Title
    policy: Prose
    should_not: list[Item] = Field(min_length=1, max_length=50)
    can: list[Item] = Field([], max_length=50)
    severity: Severity
    edit: Edit
    verdict: Verdict
    detectors: list[Detector] = Field([], max_length=20)
    categories: Categories | None = None

    @field_validator("verdict")
    @classmethod
    def _needs_an_edit(cls, verdict: Verdict, info: ValidationInfo) -> Verdict:
        if verdict == "allow_edited" and info.data.get("edit") == "none":
            raise PydanticCustomError(
                "unedited",
                "is 'allow_edited' with edit 'none', so nothing would be edited; choose an edit"
                " or verdict 'allow', 'hold' or 'block'.",
            )
        return verdict


class Ruleset(_Strict):
    """
    What one kind of picture is judged by.  ``on_clean`` is the verdict without findings.

    ``model``: only upstreams with this model are asked.  ``fallback_after_refusal``: where one
    refused, another may be asked.  ``confine``: the edit's pixels are taken inside the findings'
    boxes only; where it is false, more changed tiles outside than the share
    ``max_changed_outside`` hold the picture.  None of these is part of the prompt.
    """

    name: RulesetName
    title: Title
    goal: Prose
    scope: Prose | None = None
    on_clean: Verdict = "hold"
    # Left out of the content at their defaults, so that older content keeps its digest.
    model: ModelName | None = Field(None, exclude_if=operator.not_)
    fallback_after_refusal: bool = Field(False, exclude_if=operator.not_)
    confine: bool = Field(True, exclude_if=operator.truth)
    max_changed_outside: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, exclude_if=lambda share: share is None
    )
    rules: list[Rule] = Field(min_length=1, max_length=100)

    @field_validator("rules")
    @classmethod
    def _ids_differ(cls, rules: list[Rule]) -> list[Rule]:
        for _index, message in _repeated_ids([rule.id for rule in rules]):
            raise PydanticCustomError("repeated_id", "{message}", {"message": message})
        return rules


@dataclass(frozen=True, slots=True)
class Version:
    """A numbered ruleset and its digest: all that prompt and schema are rendered from."""

    ruleset: Ruleset
    number: int
    sha256: str


def parse(source: bytes | str) -> Ruleset:
    """
    Read a ruleset from YAML or JSON.

    Raises:
        InputRefused: ``ruleset_invalid``; ``errors`` lists every fault (the first 500) as line and
            column (from 1), path (``rules[2].edit``) and a sentence with value and what is allowed.
    """
    document = yaml_nodes.read(source)
    faults = list(document.faults)
    ruleset = None
    if document.whole:
        try:
            ruleset = Ruleset.model_validate(document.value)
        except ValidationError as error:
            faults += _model_faults(document, error)
    if faults or ruleset is None:
        raise _refusal(faults)
    return ruleset


def digest(ruleset: Ruleset) -> str:
    """Return the sha256 (hex) of the content: compact UTF-8 JSON with sorted keys."""
    content = json.dumps(
        ruleset.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(content.encode()).hexdigest()


def _refusal(faults: list[Fault]) -> InputRefused:
    faults = sorted(faults, key=lambda fault: (fault.place.line, fault.place.column))
    errors: list[dict[str, object]] = [
        {
            "line": fault.place.line,
            "column": fault.place.column,
            "path": _dotted(fault.path),
            "message": fault.message,
        }
        for fault in faults[:MAX_FAULTS]
    ]
    first = faults[0]
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    message = f"The ruleset has {count}; line {first.place.line}: {first.message}"
    return InputRefused("ruleset_invalid", message, errors=errors)


def _model_faults(document: Document, error: ValidationError) -> Iterator[Fault]:
    """Say what pydantic found at its place, except of values that YAML could not give."""
    lost = {fault.path for fault in document.faults if fault.lost}
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        if detail["type"] == "repeated_id" or path in lost:
            continue
        yield Fault(_place(document, path, detail["type"]), path, _sentence(path, detail))
    # Pydantic compares ids only where every rule is right, so they are compared here for all.
    for index, message in _repeated_ids(_raw_ids(document.value)):
        where: Path = ("rules", index, "id")
        yield Fault(_place(document, where, "repeated_id"), where, message)


def _raw_ids(value: Any) -> list[Any]:
    rules = value.get("rules") if isinstance(value, dict) else None
    return [
        rule.get("id") if isinstance(rule, dict) else None
        for rule in (rules if isinstance(rules, list) else [])
    ]


def _repeated_ids(ids: list[Any]) -> Iterator[tuple[int, str]]:
    seen: dict[str, int] = {}
    for index, name in enumerate(ids):
        if not isinstance(name, str):
            continue
        if name in seen:
            yield index, f"Id {_shown(name)} is already the id of rules[{seen[name]}]."
        seen.setdefault(name, index)


def _place(document: Document, path: Path, kind: str) -> Place:
    """Find the value; of an unknown key the key itself; of a missing one what should hold it."""
    if kind == "extra_forbidden" and path in document.keys:
        return document.keys[path]
    while path not in document.places:
        path = path[:-1]
    return document.places[path]


def _dotted(path: Path) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


_SHAPES: Final = {
    _NAME: "1 to 63 lower-case letters, digits and '-', not '-' first",
    _ID: "1 to 63 lower-case letters, digits, '_' and '-', a letter or digit first",
    _DETECTOR: "1 to 40 lower-case letters and '_', a letter first",
    _MODEL: "1 to 200 letters, digits and '.', '_', ':', '/', '@', '-', a letter or digit first",
}
_SHARE = "{name} is {value}; a number from 0 to 1 is needed here."
_SENTENCES: Final = {
    "missing": "{name} is missing.",
    "extra_forbidden": "{name} is an unknown key; allowed are {keys}.",
    "literal_error": "{name} is {value}; allowed are {expected}.",
    "string_type": "{name} is {value}; text is needed here.",
    "bool_type": "{name} is {value}; allowed are true and false.",
    "float_type": _SHARE,
    "finite_number": _SHARE,
    "greater_than_equal": _SHARE,
    "less_than_equal": _SHARE,
    "list_type": "{name} is {value}; a list is needed here.",
    "model_type": "{name} is {value}; a mapping is needed here.",
    "string_pattern_mismatch": "{name} is {value}; allowed are {shape}.",
    "string_too_long": "{name} is longer than {max_length} characters: {value}.",
    "string_too_short": "{name} is empty.",
    "too_long": "{name} has {actual_length} entries; at most {max_length} are allowed.",
    "too_short": "{name} is empty; at least {min_length} entry is needed.",
}


def _sentence(path: Path, detail: ErrorDetails) -> str:
    template = _SENTENCES.get(detail["type"], "{name} {msg}")
    context = detail.get("ctx", {})
    facts = {
        **context,
        "shape": _SHAPES.get(context.get("pattern", "")),
        "name": _dotted(path) or "The ruleset",
        "value": _shown(detail["input"]),
        "keys": ", ".join(_known_keys(path)),
        "msg": detail["msg"],
    }
    return template.format_map(facts)


def _known_keys(path: Path) -> list[str]:
    if len(path) < 3:
        return list(Ruleset.model_fields)
    return list(Categories.model_fields if "categories" in path[:-1] else Rule.model_fields)
