"""What is said about hooks over HTTP, as pydantic models."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.hooks import presets
from service.web import bodies
from service.web.gating import GateView
from service.web.waiting import LONGEST_WAIT_S


class HookPath(BaseModel):
    """A preset: whose messages are understood."""

    preset: str = Field(json_schema_extra={"enum": list(presets.PRESETS)})


class SenderPath(HookPath):
    """A preset, and the platform whose sender posts."""

    platform: str


class SecretPath(SenderPath):
    """The same, and the platform's secret path."""

    secret: str


class HookQuery(BaseModel):
    """What may be said beside the message, in the address that the sender is given."""

    model_config = ConfigDict(extra="forbid")

    ruleset: bodies.Word | None = Field(
        None, description="name of the ruleset; the platform's default one if absent"
    )
    answer: Literal["gate"] | None = Field(
        None, description="answer with the gate of the one upload that the message tells of"
    )
    wait: int | None = Field(
        None,
        ge=1,
        le=LONGEST_WAIT_S,
        description="seconds to wait for the gate, for senders that cannot send Prefer",
    )


class HookItem(BaseModel):
    """What became of one thing that a message tells of; ``code`` as problems have it."""

    status: Literal["accepted", "known", "ignored", "refused"]
    upload: UUID | None = None
    location: str | None = None
    code: str | None = None
    detail: str | None = None


class HookItems(BaseModel):
    """One item for each thing in the message, in its order."""

    items: list[HookItem]


class TusReply(BaseModel):
    """What tusd reads of an answer; headers and body in it are for tusd's own client."""

    response: dict[str, object] | None = Field(None, alias="HTTPResponse")


class HookAnswer(RootModel[HookItems | GateView | TusReply]):
    """The items; with ``answer=gate`` the gate; for ``tus`` always what tusd understands."""
