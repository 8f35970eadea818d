"""What is said about callbacks over HTTP, as pydantic models."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from service.store.records import Moment
from service.web import bodies


# Bodies are checked strictly, which takes no text for an id or a time, and JSON has nothing else.
def _id(given: object) -> object:
    return UUID(given) if isinstance(given, str) else given


def _time(given: object) -> object:
    return datetime.fromisoformat(given) if isinstance(given, str) else given


Id = Annotated[UUID, BeforeValidator(_id)]
Time = Annotated[Moment, BeforeValidator(_time)]
State = Literal["waiting", "delivered", "failed"]
Event = Literal["upload.described", "upload.failed", "upload.decided"]
Url = Annotated[str, Field(max_length=2000, description="https, or http on port 80")]


class NewEndpoint(BaseModel):
    """An endpoint to be called; ``platform`` is an administrator's to say."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: list[Event] | None = Field(None, min_length=1, description="all if absent")
    platform: bodies.Word | None = None


class EndpointChange(BaseModel):
    """What is to be changed."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    events: list[Event] | None = Field(None, min_length=1)
    disabled: bool | None = None
    rotate_secret: bool = Field(
        False, description="make a new secret; the one before signs too for 24 hours"
    )


class Redelivery(BaseModel):
    """Which callbacks are to be sent once more: of a time, and only what came to ``state``."""

    model_config = ConfigDict(extra="forbid")

    begin: Time = Field(alias="from")
    end: Time = Field(alias="to")
    endpoint: Id | None = None
    state: State | None = None
    platform: bodies.Word | None = None


class EndpointView(BaseModel):
    """An endpoint; ``secret`` is told once, when it was made."""

    id: UUID
    platform: str
    url: str
    events: list[str]
    secret: str | None = None
    old_secret_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime


class EndpointPage(BaseModel):
    """A page of endpoints."""

    items: list[EndpointView]
    next: str | None


class JobView(BaseModel):
    """How far the delivery to one endpoint is."""

    endpoint: UUID
    state: State
    due_at: AwareDatetime | None


class TryView(BaseModel):
    """One try; without ``finished_at`` it is under way, or its process died."""

    endpoint: UUID
    url: str
    attempt: int
    status: int | None
    error: str | None
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    delivered_at: AwareDatetime | None


class CallbackView(BaseModel):
    """One message and every try to deliver it."""

    id: UUID
    upload_id: UUID
    platform: str
    type: str
    created_at: datetime
    endpoints: list[JobView]
    deliveries: list[TryView]


class CallbackPage(BaseModel):
    """A page of messages."""

    items: list[CallbackView]
    next: str | None


class Queued(BaseModel):
    """How many deliveries were queued."""

    queued: int
