"""The doctor: what it knows, what it says, and what its checks share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from service.edits import Upstream
from service.store.database import Database

Status = Literal["ok", "warn", "fail"]
STATUSES: Final[tuple[Status, ...]] = ("ok", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Subject:
    """
    The service as it is configured here.

    Attributes:
        database: Where it is; or in ``no_database`` why nobody knows.
        upstreams: Those that workers would call; or in ``no_upstreams`` why they would not start.
        public_url: The address that links are made of; ``public_url_set`` if it was configured.
        second_look: Detector processes asked for; None leaves it to what is installed.
        connections: How many the roles open, one process of each and the workers.
    """

    database: Database | None
    no_database: str | None
    upstreams: tuple[Upstream, ...]
    no_upstreams: str | None
    data_dir: Path
    host: str
    public_url: str
    public_url_set: bool
    ruleset: str
    lease_s: float
    grace_s: float
    concurrency: int
    second_look: int | None
    connections: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it, which is empty where all is well."""

    status: Status
    found: str
    todo: str = ""


def ok(found: str) -> Finding:
    """Say that it is as it should be."""
    return Finding("ok", found)


def warn(found: str, todo: str) -> Finding:
    """Say what will hurt some day."""
    return Finding("warn", found, todo)


def fail(found: str, todo: str) -> Finding:
    """Say what keeps the service from working."""
    return Finding("fail", found, todo)


def lasting(seconds: float) -> str:
    """Show a time in the unit that people would use."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
