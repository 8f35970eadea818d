"""HTTP out: what the dialects, the client and the flows share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.errors import ServiceError

MAX_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upstream:
    """
    One configured edits endpoint.

    ``price_microusd`` is its price of one image, ``price_version`` says where that is from.
    ``weight`` is its share of the images; one of 0 only stands in for others.  A limit that is
    None does not limit.  ``answer_hosts`` may serve its images beside its own host.  ``repairs``:
    an answer without a valid description is asked for once more, of ``describer`` (the same
    endpoint in a dialect that gives text alone) where there is one, else by another edit.
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
    connect_timeout_s: float = 10.0
    read_timeout_s: float | None = None
    max_answer_bytes: int = MAX_ANSWER_BYTES
    answer_hosts: tuple[str, ...] = ()
    max_in_flight: int | None = None
    requests_per_minute: float | None = None
    max_prompt_chars: int | None = None
    context_tokens: int | None = None
    repairs: bool = True
    describer: "Upstream | None" = None


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
    """
    A reply that has both an image and a text; neither is trusted yet.

    ``cached_tokens`` are those of the input that the upstream read from its cache.
    """

    image: bytes = field(repr=False)
    text: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None = None


class AttemptFailed(ServiceError):
    """
    One call brought no usable answer.

    ``outcome`` is a name of ``outcomes.TABLE``; ``text`` is what the model said, kept for people;
    ``retry_after_s`` is what the upstream asked for, in seconds; ``image`` is the picture of an
    answer whose description is missing; ``reply`` is what came, where anything did.
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
        image: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.status = status
        self.text = text
        self.retry_after_s = retry_after_s
        self.image = image
        self.reply: Reply | None = None
