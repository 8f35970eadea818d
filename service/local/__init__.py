"""
The local edits endpoint: an OpenAI-shaped `/v1/images/edits` whose model is a set of detectors.
What its modules share stands here, free of OpenCV and onnxruntime, which only pool children load.
"""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from service.errors import ServiceError

MODEL = "local-detectors"
MAX_BYTES = 25 * 1024 * 1024

HINTS = (
    "face",
    "email",
    "phone",
    "handle",
    "url",
    "payment_card",
    "iban",
    "national_id",
    "document",
    "plate",
    "qr_code",
    "barcode",
    "nudity",
)

_PACKAGES = ("cv2", "onnxruntime", "phonenumbers", "rapidocr", "zxingcpp")


def missing_packages() -> list[str]:
    """Name what of the `local` extra is not installed, without importing it; nothing, if all is."""
    return [name for name in _PACKAGES if importlib.util.find_spec(name) is None]


class RequestRefused(ServiceError):
    """The request cannot be served as sent; ``param`` names the field at fault, if one is."""

    code = "invalid_request"

    def __init__(
        self, message: str, *, code: str, param: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        """Cross between processes whole: the default would drop the keyword arguments."""
        return (_refused, (str(self), self.code, self.param, self.status))


def _refused(message: str, code: str, param: str | None, status: int) -> RequestRefused:
    return RequestRefused(message, code=code, param=param, status=status)


class DetectorFailed(ServiceError):
    """A detector gave no usable answer, so the picture must not be called clean."""

    code = "detector_failed"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def hull(cls, boxes: Iterable["Box"]) -> Self:
        """Return the smallest box around all boxes; there must be at least one."""
        every = list(boxes)
        return cls(
            min(box.left for box in every),
            min(box.top for box in every),
            max(box.right for box in every),
            max(box.bottom for box in every),
        )

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels inside; none if the box is inside out."""
        return max(0, self.width) * max(0, self.height)

    def shared(self, other: "Box") -> int:
        """Count the pixels that lie in both boxes."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area

    def moved(self, dx: int, dy: int) -> "Box":
        """Return the same box, ``dx`` px to the right and ``dy`` px down."""
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def grown(self, dx: int, dy: int, within: tuple[int, int]) -> "Box":
        """Add ``dx`` and ``dy`` px on either side, cut to ``within`` (width, height)."""
        width, height = within
        return Box(
            max(0, self.left - dx),
            max(0, self.top - dy),
            min(width, self.right + dx),
            min(height, self.bottom + dy),
        )


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing a detector saw; ``note`` describes it without repeating any of its content."""

    kind: str
    box: Box
    confidence: float
    note: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the prompt: what to look for and what to do to it."""

    id: str
    severity: int
    edit: str
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One edit as it is handed to a pool child; ``output_format`` is png, jpeg, webp or None."""

    image: bytes
    prompt: str
    output_format: str | None


@dataclass(frozen=True, slots=True)
class Edited:
    """One finished edit: encoded picture, its format and size in pixels, description as text."""

    image: bytes
    output_format: str
    width: int
    height: int
    description: str


@dataclass(frozen=True, slots=True)
class Look:
    """
    A question about one picture: ``text``, what in it addresses the model; ``things``, all else.

    The picture is what ``local.pictures.decode`` takes.
    """

    image: bytes
    text: bool
    things: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What was seen in a picture of ``width`` x ``height`` pixels; empty where it was not asked for.

    ``sightings`` are of every kind that the detectors know; ``text_to_model`` has no personal data.
    """

    sightings: tuple[Sighting, ...]
    text_to_model: tuple[str, ...]
    width: int
    height: int
