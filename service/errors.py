"""
The tree of errors that are raised on purpose; no HTTP in it.

ServiceError
├── StartRefused        the process must not start as configured; exit 2
├── WorkFailed          a command ran and its work did not succeed; exit 1
├── InputRefused        what a caller sent is refused; nothing was changed
├── Unreadable          a picture that no viewer could show
├── LocalFault          this machine failed, not the picture: release and try again
└── LeaseLost           another worker has taken the upload over
"""


class ServiceError(Exception):
    """Base of all we raise on purpose.  ``code`` is public and never changes."""

    code = "internal"


class StartRefused(ServiceError):
    """The process must not start like this; the message names the value and what is allowed."""

    code = "start_refused"


class WorkFailed(ServiceError):
    """The command was right and its work failed."""

    code = "work_failed"


class InputRefused(ServiceError):
    """What a caller sent is refused and nothing was changed.  ``code`` says which rule it broke."""

    def __init__(
        self, code: str, message: str, *, errors: list[dict[str, object]] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.errors = errors


class Unreadable(ServiceError):
    """The bytes look like a picture and cannot be decoded as one."""

    code = "unreadable"


class LocalFault(ServiceError):
    """The machine failed, not the picture (memory, descriptors): release the upload uncharged."""

    code = "local_fault"


class LeaseLost(ServiceError):
    """Another worker has taken the upload over; what this one holds must not be written."""

    code = "lease_lost"
