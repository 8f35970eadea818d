"""Rulesets: what a policy person writes, read from YAML with every fault named at its place."""

import hashlib
import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.policy import coherence, faults, lineage, verdicts, yaml_nodes
from service.policy.taxonomies import AiluminateUid, DsaName, OpenaiKey
from service.policy.text import NEW, Line, Prose, Title

# Named here too, where whoever speaks of rules looks for them.
Severity = verdicts.Severity
Edit = verdicts.Edit
Verdict = verdicts.Verdict
Outcome = verdicts.Outcome

RulesetName = Annotated[str, StringConstraints(pattern=faults.NAME)]
RuleId = Annotated[str, StringConstraints(pattern=faults.ID)]
Detector = Annotated[str, StringConstraints(pattern=faults.DETECTOR)]
ModelName = Annotated[str, StringConstraints(pattern=faults.MODEL)]
ImageName = Annotated[str, StringConstraints(pattern=faults.IMAGE, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# Keys that came later are left out of the content at their defaults, so that older content keeps
# its digest.
_unset = operator.not_


class Categories(_Strict):
    """What the rule is called elsewhere."""

    ailuminate: list[AiluminateUid] = Field(
        [], max_length=20, description="Hazard uids of AILuminate 1.0."
    )
    dsa: list[DsaName] = Field(
        [], max_length=20, description="Names of the EU's DSA Transparency Database."
    )
    openai: list[OpenaiKey] = Field(
        [], max_length=13, exclude_if=_unset, description="Keys of OpenAI's moderation endpoint."
    )


class Entry(_Strict):
    """An entry of a list with examples, which the prompt letters (a), (b) and so on."""

    text: Line = Field(description="The entry itself.")
    examples: list[Line] = Field(
        min_length=1, max_length=26, description="What it looks like in a picture."
    )


def _form(entry: object) -> str:
    """Tell which form an entry has, so that only the faults of that form are told."""
    return faults.ENTRY if isinstance(entry, Mapping | Entry) else faults.LINE


Item = Annotated[
    Annotated[Line, Tag(faults.LINE)] | Annotated[Entry, Tag(faults.ENTRY)], Discriminator(_form)
]


class Levels(_Strict):
    """When a case is rated so; a level without a text is left to the rule's own severity."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    low: Line | None = Field(None, description="What makes a case low, 1.")
    medium: Line | None = Field(None, description="What makes a case medium, 2.")
    high: Line | None = Field(None, description="What makes a case high, 3.")
    critical: Line | None = Field(None, description="What makes a case critical, 4.")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not any(text for _name, text in self):
            raise PydanticCustomError("no_level", "is empty; allowed are low to critical.")
        return self


class Rule(_Strict):
    """One rule; its id never changes, since records and reviews point at it."""

    id: RuleId = Field(description="Names the rule for ever; another rule gets another id.")
    title: Title = Field(description="What the rule is about, in a few words.")
    enabled: bool = Field(
        True, exclude_if=operator.truth, description="false: what the rule describes is allowed."
    )
    policy: Prose = Field(description="The rule in prose, with its reason.")
    should_not: list[Item] = Field(
        min_length=1, max_length=50, description="What a picture should not do, an entry each."
    )
    can: list[Item] = Field([], max_length=50, description="What is allowed in spite of the rule.")
    levels: Levels | None = Field(
        None, exclude_if=_unset, description="When a case is of which severity."
    )
    ambiguity: Prose | None = Field(
        None, exclude_if=_unset, description="What to do where it is unclear."
    )
    escalation: Prose | None = Field(
        None, exclude_if=_unset, description="Which cases a person decides."
    )
    severity: Severity = Field(description="How serious a usual case is.")
    edit: Edit = Field(description="What is done to the place where the rule is violated.")
    verdict: Verdict = Field(description="What becomes of a picture that violates the rule.")
    detectors: list[Detector] = Field(
        [], max_length=20, description="Hints: what a detector would look for."
    )
    categories: Categories | None = Field(None, description="What it is called elsewhere.")

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


class Definition(_Strict):
    """A word of the ruleset and what it means there."""

    term: Title = Field(description="The word or words.")
    meaning: Line = Field(description="What they mean in this ruleset.")


class Review(_Strict):
    """What people see beside the pictures that are held, and who publishes."""

    sample: float = Field(
        0.0, ge=0, le=1, allow_inf_nan=False, description="Share of allowed pictures they see too."
    )
    second_person: bool = Field(
        False, description="Whether another person than its author must publish a version."
    )


class Example(_Strict):
    """A golden example: a picture and what must be found in it."""

    image: ImageName = Field(description="A path below this file's folder, or sha256:<64 hex>.")
    rules: list[RuleId] = Field(
        [], max_length=100, description="The rules that must be found; none in a clean picture."
    )
    outcome: Outcome = Field(description="The outcome that must follow.")
    note: Line | None = Field(None, description="What the example is there for.")


class Ruleset(_Strict):
    """What one kind of picture is judged by."""

    name: RulesetName = Field(description="Names the ruleset in calls and records.")
    title: Title = Field(description="What is judged, in a few words.")
    goal: Prose = Field(description="What the rules are there for.")
    scope: Prose | None = Field(
        None, description="Which pictures are judged, and whom it protects."
    )
    definitions: list[Definition] = Field(
        [], max_length=100, exclude_if=_unset, description="Words and what they mean here."
    )
    editing: Prose | None = Field(None, exclude_if=_unset, description="How edits should look.")
    on_clean: Verdict = Field("hold", description="The verdict on a picture without findings.")
    review: Review = Field(
        Review(),
        exclude_if=lambda review: review == Review(),
        description="What people see and decide besides.",
    )
    model: ModelName | None = Field(
        None, exclude_if=_unset, description="Only upstreams with this model are asked."
    )
    fallback_after_refusal: bool = Field(
        False, exclude_if=_unset, description="Where one upstream refused, another may be asked."
    )
    confine: bool = Field(
        True,
        exclude_if=operator.truth,
        description="Take the edit's pixels inside the findings' boxes only.",
    )
    max_changed_outside: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        exclude_if=lambda share: share is None,
        description="Without confine: more changed tiles than this share hold the picture.",
    )
    rules: list[Rule] = Field(min_length=1, max_length=100, description="What is judged.")
    examples: list[Example] = Field(
        [], max_length=500, exclude_if=_unset, description="Pictures that prove the ruleset."
    )

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for _path, message in coherence.faults(self.model_dump(mode="json")):
            raise PydanticCustomError(faults.INCOHERENT, "{message}", {"message": message})
        return self

    @property
    def judged(self) -> list[Rule]:
        """The rules that are on: the only ones a finding can name."""
        return [rule for rule in self.rules if rule.enabled]


@dataclass(frozen=True, slots=True)
class Version:
    """A numbered ruleset and its digest: all that prompt and schema are rendered from."""

    ruleset: Ruleset
    number: int
    sha256: str


def parse(source: bytes | str, earlier: Sequence[Mapping[str, Any]] = ()) -> Ruleset:
    """
    Read a ruleset from YAML or JSON.

    Args:
        earlier: The content of each earlier version, oldest first.  What ids meant there they must
            mean now, unless the content is just that of one of them.

    Raises:
        InputRefused: ``ruleset_invalid``; ``errors`` lists every fault (the first 500) as line and
            column (from 1), path (``rules[2].edit``) and a sentence with value and what is allowed.
    """
    document = yaml_nodes.read(source)
    found = list(document.faults)
    ruleset = None
    if document.whole:
        try:
            ruleset = Ruleset.model_validate(document.value, context=NEW)
        except ValidationError as error:
            found += faults.of_model(document, error, Ruleset)
        found += faults.placed(document, coherence.faults(document.value))
        if ruleset is None or content(ruleset) not in earlier:
            found += faults.placed(document, lineage.faults(document.value, earlier))
    if found or ruleset is None:
        raise faults.refusal(found)
    return ruleset


def content(ruleset: Ruleset) -> dict[str, Any]:
    """Give the content of a version as plain JSON: what its digest is of and what is stored."""
    return ruleset.model_dump(mode="json")


def of_content(content: Mapping[str, Any]) -> Ruleset:
    """Make a stored version's content the ruleset that it is, also where parse refuses more now."""
    return Ruleset.model_validate(content)


def digest(ruleset: Ruleset) -> str:
    """Return the sha256 (hex) of the content: compact UTF-8 JSON with sorted keys."""
    plain = json.dumps(content(ruleset), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()
