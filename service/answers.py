"""What the service says to its clients, typed; what a later version adds is let through."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AliasPath, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Something within an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(Part):
    """A whole answer; ``raw`` is all of it, also what this version knows nothing about."""

    raw: dict[str, Any] = Field(repr=False)


class Ruleset(Part):
    """The exact version that judged."""

    name: str
    version: int


class Finding(Part):
    """
    One violation of a rule.

    ``severity`` is 1 to 4, ``confidence`` 0 to 1; ``box_2d`` is (ymin, xmin, ymax, xmax) in
    thousandths of the original, None for the whole picture.
    """

    rule: str
    rationale: str
    severity: int
    confidence: float
    box_2d: tuple[int, int, int, int] | None
    edit: str


class Description(Part):
    """What the model said about the picture, checked against the ruleset."""

    summary: str
    alt_text: str
    findings: tuple[Finding, ...]
    not_assessed: tuple[str, ...]
    text_to_model: tuple[str, ...]


class Upload(Answer):
    """
    One image and what became of it.

    ``verdict`` is always there: ``allow``, ``allow_edited``, ``hold`` or ``block``; what has not
    ended or has failed is ``hold``.  ``images`` has a path by name for each picture there is yet,
    else None.
    """

    id: UUID
    platform: str
    external_id: str | None
    state: str
    waiting_for: str | None
    reused_from: UUID | None
    outcome: str | None
    verdict: str
    ruleset: Ruleset
    description: Description | None
    images: Mapping[str, str | None]
    metadata: Mapping[str, Any]
    received_at: datetime
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        """Tell whether nothing more becomes of it by itself."""
        return self.state not in ("queued", "working")


class Callback(Answer):
    """A genuine callback; ``id`` stays the same however often it comes, so remember it."""

    id: str
    signed_at: datetime
    type: str
    upload_id: UUID = Field(validation_alias=AliasPath("data", "id"))
    platform: str = Field(validation_alias=AliasPath("data", "platform"))
    external_id: str | None = Field(validation_alias=AliasPath("data", "external_id"))
    ruleset: Ruleset = Field(validation_alias=AliasPath("data", "ruleset"))
    outcome: str | None = Field(validation_alias=AliasPath("data", "outcome"))
    verdict: str = Field(validation_alias=AliasPath("data", "verdict"))
    severity: int = Field(validation_alias=AliasPath("data", "severity"))
    rules: tuple[str, ...] = Field(validation_alias=AliasPath("data", "rules"))
