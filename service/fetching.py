"""
The guarded fetcher: the only code that opens an address which somebody else has written.

Whether an address is public is checked on each socket, just before it is connected: neither a
literal in some odd spelling nor a name that resolves differently the second time gets by.
"""

import asyncio
import errno
import math
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from yarl import URL

from service.addresses import FetchFailed, Policy, host_of, is_public, parsed
from service.errors import LocalFault

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_RETRY_WAITS_S: Final = (0.2, 1.0)
# What this machine has no more of, descriptors or memory.
_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class Interrupted(FetchFailed):
    """
    The connection broke or the server failed: the same address may answer the next time.

    ``retry_after_s`` is how long the server asked to be left alone, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def refuse_ours(error: Exception) -> None:
    """
    Tell our own want of descriptors or memory, which says nothing about whom we meant to reach.

    Raises:
        LocalFault: It was that.
    """
    if isinstance(error, OSError) and error.errno in _OURS:
        raise LocalFault(f"no connection could be opened: {error}") from error


def open_socket(to: AddrInfoType) -> socket.socket:
    """Open a socket for an address, as the connector does by itself."""
    family, kind, protocol, _, _ = to
    return socket.socket(family, kind, protocol)


async def body_of(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """
    Read a body up to a limit, which also holds for what a compressed one expands to.

    Raises:
        FetchFailed: It is over the limit, or its headers say so.
    """
    body = bytearray()
    announced = response.content_length or 0
    while announced <= max_bytes and len(body) <= max_bytes:
        chunk = await response.content.readany()
        if not chunk:
            return bytes(body)
        body += chunk
    raise FetchFailed(f"the answer is over {max_bytes} bytes")


def guarded_connector(
    resolver: AbstractResolver | None = None,
    opened: Callable[[AddrInfoType], socket.socket] = open_socket,
    *,
    force_close: bool = False,
) -> aiohttp.TCPConnector:
    """Make a connector that opens sockets to public addresses only; any other is FetchFailed."""

    def guarded(to: AddrInfoType) -> socket.socket:
        address = str(to[4][0])
        if not is_public(address):
            raise FetchFailed(f"{address} is not a public address")
        return opened(to)

    return aiohttp.TCPConnector(
        limit=0,
        resolver=resolver,
        socket_factory=guarded,
        # One address after another, so that the first one that is not public ends it.
        happy_eyeballs_delay=None,
        force_close=force_close,
    )


class Fetcher:
    """Fetches by GET without keys, cookies and proxies; open it as a context manager."""

    def __init__(
        self,
        resolver: AbstractResolver | None = None,
        opened: Callable[[AddrInfoType], socket.socket] = open_socket,
    ) -> None:
        self._resolver = resolver
        self._opened = opened
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        trusting = aiohttp.TCPConnector(limit=0)
        guarding = guarded_connector(self._resolver, self._opened)
        self._trusting, self._guarding = [
            await self._stack.enter_async_context(bare_session(one)) for one in (trusting, guarding)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def fetch(self, address: str, policy: Policy, deadline: float) -> bytes:
        """
        Fetch the body of a 200; a broken connection, a 429 and a 5xx are tried again twice.

        Args:
            address: Where the body is; each redirect is held to the policy like it.
            deadline: When to give up, seconds by the loop's clock.

        Raises:
            FetchFailed: With the host and the reason.
            LocalFault: This machine could open no connection.
        """
        try:
            async with asyncio.timeout_at(deadline):
                for wait_s in _RETRY_WAITS_S:
                    with suppress(Interrupted):
                        return await self._followed(address, policy)
                    await asyncio.sleep(wait_s)
                return await self._followed(address, policy)
        except TimeoutError as error:
            raise _late() from error

    async def fetch_once(self, address: str, policy: Policy, timeout_s: float) -> bytes:
        """
        Fetch the body of a 200 by a single try.

        Raises:
            Interrupted: The next try may succeed.
            FetchFailed: No other would; with the host and the reason, as above.
            LocalFault: This machine could open no connection.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._followed(address, policy)
        except TimeoutError as error:
            raise _late() from error

    async def _followed(self, address: str, policy: Policy) -> bytes:
        url = parsed(address)
        for _ in range(MAX_REDIRECTS + 1):
            came = await self._got(url, policy)
            if isinstance(came, bytes):
                return came
            url = came
        raise FetchFailed(f"{host_of(url)} redirects more than {MAX_REDIRECTS} times")

    async def _got(self, url: URL, policy: Policy) -> bytes | URL:
        """Give the body, or the address that the server points to."""
        timeout = aiohttp.ClientTimeout(total=None, connect=policy.connect_timeout_s)
        session = self._trusting if policy.trusts(url) else self._guarding
        try:
            async with session.get(url, timeout=timeout, allow_redirects=False) as response:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    to = URL(response.headers["Location"], encoded=True)
                    return parsed(str(url.join(to)))
                if response.status == 429 or response.status >= 500:
                    raise Interrupted(_answered(url, response), retry_after_s(response.headers))
                if response.status != 200:
                    raise FetchFailed(_answered(url, response))
                return await body_of(response, policy.max_bytes)
        except (aiohttp.ClientError, ConnectionError) as error:
            refuse_ours(error)
            raise Interrupted(f"{host_of(url)}: {type(error).__name__}") from error
        except ValueError as error:
            raise FetchFailed(f"{host_of(url)} redirects to what is no address") from error


def bare_session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """Make a session that takes nothing from the environment and keeps nothing."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read seconds, or a date by the server's own clock where it tells that (RFC 9110 10.2.3)."""
    value = headers.get("Retry-After", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
            told = headers.get("Date")
            now = parsedate_to_datetime(told) if told else datetime.now(UTC)
            seconds = (until - now).total_seconds()
        except (ValueError, TypeError):  # The one with a zone and the other without is a TypeError.
            return None
    return seconds if math.isfinite(seconds) else None


def _late() -> Interrupted:
    return Interrupted("what is at the address did not come in time")


def _answered(url: URL, response: aiohttp.ClientResponse) -> str:
    return f"{host_of(url)} answered HTTP {response.status}"
