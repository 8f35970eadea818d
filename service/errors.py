"""
The tree of errors that are raised on purpose; no HTTP in it.

ServiceError
├── StartRefused        the process must not start as configured; exit 2
├── WorkFailed          a command ran and its work did not succeed; exit 1
├── InputRefused        what a caller sent is refused; nothing was changed
│   ├── QuotaExceeded   the platform asks for more than it may have now
│   ├── Overloaded      this process is taking as much as it can hold
│   └── Conflict        somebody else was faster; it carries how things are now
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


class QuotaExceeded(InputRefused):
    """A platform asks for more than its quota has room for; ask again after ``retry_after_s``."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__("quota_exceeded", message)
        self.retry_after_s = retry_after_s


class Overloaded(InputRefused):
    """There is no room for the request now, whoever asks; ask again after ``retry_after_s``."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__("overloaded", message)
        self.retry_after_s = retry_after_s


class Conflict(InputRefused):
    """Somebody else was faster; ``current`` is how things are now, as JSON."""

    def __init__(self, code: str, message: str, current: dict[str, object] | None) -> None:
        super().__init__(code, message)
        self.current = current


class Unreadable(ServiceError):
    """The bytes look like a picture and cannot be decoded as one."""

    code = "unreadable"


class LocalFault(ServiceError):
    """The machine failed, not the picture (memory, descriptors): release the upload uncharged."""

    code = "local_fault"


class LeaseLost(ServiceError):
    """Another worker has taken the upload over; what this one holds must not be written."""

    code = "lease_lost"
