"""What reviewing looks like over HTTP, as pydantic models."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints

from service.deciding import Decision
from service.store import Row
from service.store.cases import Order
from service.store.leases import Lease
from service.store.records import Filter, Word
from service.web import models
from service.web.queue_models import Body, QueueName, QueueView

Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
Reason = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1)]


# Bodies are checked strictly, which takes no text for an id, and JSON has nothing else.
def _id(given: object) -> object:
    return UUID(given) if isinstance(given, str) else given


Id = Annotated[UUID, BeforeValidator(_id)]


class Person(BaseModel):
    """Who works: the id and the name of a token."""

    id: UUID
    name: str | None


class LeaseView(BaseModel):
    """Who works on a case, and until when unless it is renewed."""

    holder: Person
    until: AwareDatetime


class ReviewFacts(BaseModel):
    """How far people are with a case."""

    revision: int
    decision: Decision | None
    severity: int
    rules: list[str]
    comments: int


class CaseView(models.RecordView):
    """An upload that has ended, with how far people are with it."""

    review: ReviewFacts


class LeasedCase(BaseModel):
    """A case and who works on it."""

    case: CaseView
    lease: LeaseView | None


class NextCase(LeasedCase):
    """The next case, those that will follow, and the queue they are of."""

    following: list[LeasedCase]
    queue: QueueView | None


class CasePage(BaseModel):
    """A page of what waits in a queue."""

    items: list[LeasedCase]
    next: str | None


class Ask(Filter):
    """For which cases a person asks: those of a queue, or by filters and an order."""

    queue: QueueName | None = None
    skip: list[Id] = Field([], max_length=200, description="not these; leases of them end")
    order: Order = "severity"


class DecisionView(BaseModel):
    """One decision; of the last two times at most one is set."""

    id: UUID
    decision: Decision
    reason: str
    actor: Person
    queue: str | None
    bulk: UUID | None
    previous: Decision | None
    decided_at: AwareDatetime
    effective_at: AwareDatetime
    undone_at: AwareDatetime | None
    applied_at: AwareDatetime | None


class CommentView(BaseModel):
    """What somebody said about a case."""

    id: UUID
    person: Person
    text: str
    at: AwareDatetime


class Current(BaseModel):
    """What people did about a case, the newest last."""

    revision: int
    decision: Decision | None
    lease: LeaseView | None
    decisions: list[DecisionView]
    comments: list[CommentView]
    reveals: int


class ReviewView(Current):
    """A case with all that people did about it; ``revealed_until`` is for who asks."""

    upload: models.UploadView
    revealed_until: datetime | None


class Verdict(Body):
    """A decision to be made."""

    decision: Decision
    reason: Text = ""
    undo_s: float | None = Field(None, description="ignored; the service's setting holds")


class MadeView(BaseModel):
    """A decision that takes effect, and is told, once it can no longer be undone."""

    id: UUID
    decision: Decision
    effective_at: datetime
    undo_until: datetime
    revision: int


class Comment(Body):
    """What somebody has to say."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]


class SetAside(Body):
    """Why a case is given back."""

    reason: Text = ""


class Reveal(Body):
    """Why the original is wanted."""

    reason: Reason


class RevealView(BaseModel):
    """Until when the original is open."""

    id: UUID
    until: datetime


class BulkOrder(Body):
    """
    One decision for all cases that wait and fit.

    Without ``expected`` they are counted only.
    """

    filter: Filter = Filter()
    decision: Decision
    reason: Reason
    expected: int | None = Field(None, ge=0, le=10_000)


class BulkCount(BaseModel):
    """How many cases would be decided."""

    count: int


class LeftOut(BaseModel):
    """A case that a bulk decision left out, and the code of why."""

    id: UUID
    why: str


class BulkView(BaseModel):
    """A bulk decision: of ``count`` cases so many are undone, or took effect."""

    id: UUID
    decision: Decision
    reason: str
    filter: dict[str, Any]
    count: int
    applied: int
    undone: int
    skipped: list[LeftOut]
    decided_at: datetime
    effective_at: datetime
    undo_until: datetime


class Undone(BaseModel):
    """How many decisions were taken back."""

    undone: int


class PersonSummary(BaseModel):
    """
    What a person decided, bulk decisions apart.

    ``without_reveal_share`` is from 0 to 1, ``median_s`` from lease to decision.
    """

    person: Person | None
    decided: int
    decided_without_reveal: int
    without_reveal_share: float | None
    in_bulk: int
    undone: int
    median_s: float | None


class ReviewSummary(PersonSummary):
    """What all people decided, and each."""

    people: list[PersonSummary]


class Agreement(BaseModel):
    """How often people upheld what the model found by a rule; null: that it found nothing."""

    ruleset: str
    version: int
    rule: Word | None
    upheld: int
    overturned: int


class AgreementList(BaseModel):
    """Every rule that people decided about, on one page."""

    items: list[Agreement]
    next: None = None


def of_lease(lease: Lease | None) -> LeaseView | None:
    """Show a lease."""
    if lease is None:
        return None
    return LeaseView(holder=Person(id=lease.holder, name=lease.name), until=lease.until)


def of_case(row: Row) -> CaseView:
    """Show a row of ``reviews.cases``."""
    record = models.of_record(row)
    facts = {name: row[name] for name in ReviewFacts.model_fields}
    return CaseView.model_validate({**record.model_dump(), "review": facts})


def of_summary(row: Row) -> dict[str, Any]:
    """Show a row of ``reviews.summary``."""
    decided = row["decided"]
    return {
        "person": {"id": row["actor"], "name": row["name"]} if row["actor"] else None,
        "decided": decided,
        "decided_without_reveal": row["without_reveal"],
        "without_reveal_share": row["without_reveal"] / decided if decided else None,
        "in_bulk": row["in_bulk"],
        "undone": row["undone"],
        "median_s": row["median_s"],
    }


def where(upload: UUID) -> dict[str, str]:
    """Give the header that tells where an upload's review can be read."""
    return {"Location": f"/v1/reviews/{upload}"}
