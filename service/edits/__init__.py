"""HTTP out: what the dialects, the client and the flows share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Upstream:
    """
    One configured edits endpoint.

    ``price_microusd`` is its price of one image, ``price_version`` says where that is from.
    """

    name: str
    url: str
    key: str | None = field(repr=False)
    dialect: str
    model: str
    price_microusd: int
    weight: float
    timeout_s: float
    response_format: bool
    price_version: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked: one picture, judged and edited by the prompt with the whole ruleset in it."""

    prompt: str
    image: bytes = field(repr=False)
    mime: str


@dataclass(frozen=True, slots=True)
class Request:
    """One POST, ready to be sent."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, unread."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that has both an image and a text; neither is trusted yet."""

    image: bytes = field(repr=False)
    text: str
    input_tokens: int | None
    output_tokens: int | None


class AttemptFailed(ServiceError):
    """
    One call brought no usable answer.

    ``outcome`` is a name of ``outcomes.TABLE``; ``text`` is what the model said, kept for people;
    ``retry_after_s`` is what the upstream asked for, in seconds.
    """

    code = "attempt_failed"

    def __init__(
        self,
        outcome: str,
        message: str,
        *,
        status: int | None = None,
        text: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.status = status
        self.text = text
        self.retry_after_s = retry_after_s
