"""Where platforms are called back: endpoints are added, changed and removed, each act audited."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from service import callbacks, ids, posting, standard_webhooks
from service.errors import InputRefused
from service.posting import AddressRefused
from service.store import Conn, audit, endpoints
from service.store.endpoints import Endpoint

# For so long after a rotation the secret before it signs too.
OVERLAP = timedelta(hours=24)
MOST = 20


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed; None leaves it.  ``rotate``: make a new secret."""

    url: str | None = None
    events: Sequence[str] | None = None
    disabled: bool | None = None
    rotate: bool = False


@dataclass(frozen=True, slots=True)
class Subscribed:
    """An endpoint, and its secret where that was made just now: it is told once."""

    endpoint: Endpoint
    secret: str | None


async def add(
    conn: Conn,
    actor: str,
    platform: str,
    url: str,
    events: Sequence[str] | None,
    trusted_hosts: tuple[str, ...],
) -> Subscribed:
    """
    Add an endpoint of a platform; ``events`` None means all.

    Raises:
        InputRefused: ``url_not_allowed``, ``validation_failed``, ``platform_unknown`` or
            ``too_many_endpoints``.
    """
    _check(url, trusted_hosts)
    secret = standard_webhooks.new_secret()
    async with conn.transaction():
        if not await endpoints.hold_platform(conn, platform):
            raise InputRefused("platform_unknown", f"there is no platform {platform[:100]!r}")
        if await endpoints.count(conn, platform) >= MOST:
            raise InputRefused("too_many_endpoints", f"a platform has at most {MOST} endpoints")
        added = await endpoints.add(conn, ids.uuid7(), platform, url, _events(events), secret)
        await audit.add(conn, actor, "endpoint.create", str(added.id), platform=platform)
    return Subscribed(added, secret)


async def change(
    conn: Conn,
    actor: str,
    endpoint: UUID,
    platform: str | None,
    wanted: Change,
    trusted_hosts: tuple[str, ...],
    expected: Sequence[str] | None = None,
) -> Subscribed:
    """
    Change an endpoint, the platform's own where one is given.

    Args:
        expected: The revisions that may be changed, None if any.

    Raises:
        InputRefused: ``not_found``, ``endpoint_changed``, ``url_not_allowed`` or
            ``validation_failed``.
    """
    if wanted.url is not None:
        _check(wanted.url, trusted_hosts)
    events = None if wanted.events is None else _events(wanted.events)
    secret = standard_webhooks.new_secret() if wanted.rotate else None
    async with conn.transaction():
        before = await find(conn, endpoint, platform)
        _compare(before, expected)
        await endpoints.change(conn, endpoint, wanted.url or before.url, events or before.events)
        if wanted.disabled:
            await endpoints.disable(conn, endpoint, f"disabled by {actor}")
        elif wanted.disabled is False:
            await endpoints.enable(conn, endpoint)
        if secret is not None:
            await endpoints.rotate(conn, endpoint, secret, OVERLAP)
        await audit.add(
            conn,
            actor,
            "endpoint.change",
            str(endpoint),
            url=wanted.url is not None,
            events=events,
            disabled=wanted.disabled,
            rotated=wanted.rotate,
        )
        after = await find(conn, endpoint, platform)
    return Subscribed(after, secret)


async def remove(
    conn: Conn,
    actor: str,
    endpoint: UUID,
    platform: str | None,
    expected: Sequence[str] | None = None,
) -> None:
    """
    Remove an endpoint, and what it was still to be told.

    Args:
        expected: The revisions that may be removed, None if any.

    Raises:
        InputRefused: ``not_found`` or ``endpoint_changed``.
    """
    async with conn.transaction():
        _compare(await find(conn, endpoint, platform), expected)
        await endpoints.remove(conn, endpoint)
        await audit.add(conn, actor, "endpoint.remove", str(endpoint))


async def find(conn: Conn, endpoint: UUID, platform: str | None) -> Endpoint:
    """Read one, the platform's own where one is given; InputRefused if there is none."""
    found = await endpoints.get(conn, endpoint, platform)
    if found is None:
        raise InputRefused("not_found", f"there is no endpoint {endpoint}")
    return found


def revision(endpoint: Endpoint) -> str:
    """Name an endpoint as it is set now; how its deliveries fare is no part of that."""
    settings = (endpoint.url, endpoint.events, endpoint.disabled_at, endpoint.old_secret_until)
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def _compare(endpoint: Endpoint, expected: Sequence[str] | None) -> None:
    if expected is not None and revision(endpoint) not in expected:
        raise InputRefused(
            "endpoint_changed",
            f"endpoint {endpoint.id} is at revision {revision(endpoint)},"
            f" not {', '.join(expected)}",
        )


def _check(url: str, trusted_hosts: tuple[str, ...]) -> None:
    try:
        posting.checked(url, trusted_hosts)
    except AddressRefused as error:
        raise InputRefused("url_not_allowed", str(error)) from error


def _events(events: Sequence[str] | None) -> list[str]:
    known = sorted(callbacks.EVENTS.values())
    if events is None:
        return known
    if not events or not set(events) <= set(known):
        raise InputRefused(
            "validation_failed", f"events: choose at least one of {', '.join(known)}"
        )
    return sorted(set(events))
