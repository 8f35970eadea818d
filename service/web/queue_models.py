"""What queues look like over HTTP, as pydantic models."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.deciding import Decision
from service.store.cases import Order
from service.store.records import Filter

QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class Body(BaseModel):
    """A body; what it does not name is refused."""

    model_config = ConfigDict(extra="forbid")


class BlurFrom(Body):
    """Blur from a severity on."""

    severity: int = Field(ge=0, le=4)


class QueueSettings(Body):
    """What of a queue can be set; what is not named stays."""

    # An empty default would be none that the schema allows.
    title: Title = Field(default_factory=str, description="the name if not given")
    filter: Filter = Field(
        Filter(), description="as that of records; all that waits for a person if empty"
    )
    order: Order = Field("severity", description="severity: most severe first, then the oldest")
    reason_required: list[Decision] = Field([], description="decisions that need a reason here")
    blur: Literal["none", "always"] | BlurFrom = Field(
        "always", description="whether the edited image is blurred until wanted"
    )
    sla_s: int | None = Field(None, ge=1, lt=2**31, description="how long a case may wait")
    max_severity: int | None = Field(None, ge=0, le=4, description="more severe ones are left out")


class NewQueue(QueueSettings):
    """A queue to be added."""

    name: QueueName


class QueueView(BaseModel):
    """A queue; ``pending`` counts up to 1,000 cases, and ``more`` tells that there are more."""

    name: str
    title: str
    filter: dict[str, Any]
    order: str
    reason_required: list[str]
    blur: str | BlurFrom
    sla_s: int | None
    max_severity: int | None
    pending: int
    more: bool
    oldest_s: float | None
    created_by: str
    created_at: datetime


class QueueList(BaseModel):
    """All queues, on one page."""

    items: list[QueueView]
    next: None = None
