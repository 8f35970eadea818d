"""What the API answers, as pydantic models."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from service.intake import Accepted
from service.store import Row


class RulesetReference(BaseModel):
    """The exact version that judges an upload."""

    name: str
    version: int


class ImageLinks(BaseModel):
    """
    Where an upload's pictures are; null until there is one.

    ``raw`` is the edit as the upstream gave it, where that is kept; ``heat`` a map of what changed.
    """

    original: str | None
    edited: str | None
    thumbnail: str | None
    raw: str | None
    heat: str | None


class RegionProofView(BaseModel):
    """
    What is left of one place that a rule wants edited.

    ``left``: for each octave of detail, coarse to fine, the share of the places with structure that
    still show it, null where there was too little; ``moved``: the same where it fits best mirrored
    or shifted.  ``enforced``: the rule's own edit was made here, since the upstream's proves
    nothing or the place is below 32 px.  ``seen`` are the kinds of things that detectors still
    found there; ``final_box_2d`` is the place in the edited picture shown.
    """

    rule: str
    box_2d: tuple[int, int, int, int] | None
    edit: str
    verdict: Literal["proven", "not_redacted"]
    left: list[float | None] | None = None
    moved: float | None = None
    seen: list[str] = []
    enforced: bool = False
    final_box_2d: tuple[int, int, int, int] | None = None


class OutsideView(BaseModel):
    """Tiles outside the regions, and those changed beyond what coding and resampling explain."""

    tiles: int
    changed: int


class ProofView(BaseModel):
    """
    What the edit did to the picture, measured.

    ``confined``: the edited picture shown takes the upstream's pixels inside the regions only, and
    has the rule's own edit where a region was ``not_redacted``.  ``agreement`` is the confidence
    that both show one picture, 0 to 1; ``size`` the upstream's height and width; ``stretch`` its
    aspect ratio by the original's; ``pdq_distance`` the bits that differ, of 256.  ``detectors``
    tells whether the service's own looked too (null where another picture left nothing to look
    at), ``text_to_model`` what they read in the original that addresses the model or the reviewer.
    """

    verdict: Literal["proven", "changed_outside", "not_redacted", "other_picture"]
    confined: bool
    agreement: float
    size: tuple[int, int]
    stretch: float
    pdq_distance: int
    outside: OutsideView | None
    regions: list[RegionProofView]
    detectors: Literal["off", "looked", "failed"] | None = None
    text_to_model: list[str] = []


class AttemptView(BaseModel):
    """
    One call to an upstream; null while it is under way.

    ``kind``: it asked for an ``edit``, or for the ``description`` alone of an edit that came.
    """

    attempt: int
    kind: Literal["edit", "description"]
    upstream: str
    model: str
    outcome: str | None
    charged: bool | None
    cost_microusd: int | None
    prompt_sha256: str
    detail: str | None
    started_at: datetime
    finished_at: datetime | None


class FetchView(BaseModel):
    """How often an image was tried to be fetched, and what was wrong with the last try, if any."""

    tries: int
    error: str | None


class UploadView(BaseModel):
    """
    One upload, with its description and pictures once it is done.

    Of one that was deleted (state ``deleted``) it tells what it came to and what it cost.
    """

    id: UUID
    platform: str
    external_id: str | None
    state: str
    waiting_for: str | None
    reused_from: UUID | None
    outcome: str | None
    verdict: str
    ruleset: RulesetReference
    description: dict[str, Any] | None
    images: ImageLinks
    proof: ProofView | None
    fetch: FetchView | None
    attempts: list[AttemptView]
    metadata: dict[str, Any]
    received_at: datetime
    finished_at: datetime | None


class RecordView(UploadView):
    """
    An upload that has ended, and what people made of it.

    ``severity`` is the highest of its findings, 0 without any.  ``revision`` grows whenever
    somebody comments or decides.
    """

    severity: int
    decision: Literal["allow", "allow_edited", "block", "escalate"] | None
    decided_at: datetime | None
    revision: int


class RecordPage(BaseModel):
    """A page of uploads that have ended; ``next`` is the cursor of the page after it."""

    items: list[RecordView]
    next: str | None


def of_row(row: Row) -> UploadView:
    """Show a row of ``uploads.VIEW``."""
    return UploadView.model_validate(_fields(row))


def of_record(row: Row) -> RecordView:
    """Show a row of ``cases.find``."""
    return RecordView.model_validate(_fields(row))


def _fields(row: Row) -> dict[str, Any]:
    values = dict(row)
    if values["state"] == "deleted":
        # Others may have its result, and keep the proof of it.
        values |= {"proof": None, "heat_sha256": None}

    def link(name: str, column: str) -> str | None:
        return f"/v1/uploads/{values['id']}/images/{name}" if values[column] is not None else None

    return {
        **values,
        "ruleset": RulesetReference(name=values["ruleset"], version=values["version"]),
        "images": ImageLinks(
            original=link("original", "canonical_sha256"),
            edited=link("edited", "edited_sha256"),
            thumbnail=link("thumbnail", "thumbnail_sha256"),
            raw=link("raw", "raw_sha256"),
            heat=link("heat", "heat_sha256"),
        ),
    }


def of_accepted(accepted: Accepted) -> UploadView:
    """Show an upload that was just committed, without asking the database again."""
    if accepted.follower is not None:
        return of_row(accepted.follower)
    upload = accepted.upload
    fetched = upload.image_sha256 is None
    return UploadView(
        id=upload.id,
        platform=upload.platform,
        external_id=upload.external_id,
        state="queued",
        waiting_for="fetch" if fetched else None,
        reused_from=None,
        outcome=None,
        verdict="hold",
        ruleset=RulesetReference(name=upload.ruleset, version=upload.version),
        description=None,
        images=ImageLinks(original=None, edited=None, thumbnail=None, raw=None, heat=None),
        proof=None,
        fetch=FetchView(tries=0, error=None) if fetched else None,
        attempts=[],
        metadata=dict(upload.metadata),
        received_at=accepted.received_at,
        finished_at=None,
    )
