"""Checks of the settings, as far as they can be judged without anything else."""

from typing import Final
from urllib.parse import urlsplit

from service.doctoring import Finding, Subject, ok, warn

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
SHORT_LEASE_S: Final = 5.0
SHORT_GRACE_S: Final = 5.0


async def address(subject: Subject) -> Finding:
    """See whether links in callbacks lead here for those who get them."""
    where = urlsplit(subject.public_url)
    said = f"the API listens on {subject.host}, and links begin with {subject.public_url}"
    if subject.host in LOOPBACK and not subject.public_url_set:
        return ok(f"{said}: for this machine alone")
    if where.hostname in LOOPBACK:
        return warn(said, "set MODERATION_PUBLIC_URL to the address that platforms reach")
    if where.scheme != "https":
        return warn(said, "serve it by https, and say so in MODERATION_PUBLIC_URL")
    return ok(said)


async def times(subject: Subject) -> Finding:
    """See whether a worker keeps what it holds, and finishes what it has begun."""
    said = f"lease {subject.lease_s:g} s, grace {subject.grace_s:g} s"
    longest = max((one.timeout_s for one in subject.upstreams), default=None)
    if longest is not None:
        said += f", longest call {longest:g} s"
    if subject.lease_s < SHORT_LEASE_S:
        return warn(
            said, "MODERATION_LEASE_S below 5: a short stall gives uploads away that are paid for"
        )
    if subject.grace_s < SHORT_GRACE_S:
        return warn(
            said, "MODERATION_GRACE_S below 5: calls under way at SIGTERM are paid for in vain"
        )
    return ok(said)
