"""
The guarded fetcher: the only code that opens an address which somebody else has written.

Whether an address is public is checked on each socket, just before it is connected: neither a
literal in some odd spelling nor a name that resolves differently the second time gets by.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from yarl import URL

from service.errors import ServiceError

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_PORTS: Final = (80, 443)
_RETRY_WAITS_S: Final = (0.2, 1.0)
# Any other sign would have to be quoted, and a signed address must stay as it was signed.
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,8000}", re.IGNORECASE)
# What is not the public internet, and 168.63.129.16, where a host of Azure answers its guests.
# Source: the special-purpose registries of IANA (RFC 6890).  Python's own ``is_global`` says yes to
# multicast and differs by release.  IPv6 is listed by what is public, so that every form with an
# IPv4 address in it (mapped, compatible, 6to4, NAT64, Teredo) stays out.
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32"),
        *("169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
        *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
_PUBLIC_V6: Final = ipaddress.ip_network("2000::/3")


class FetchFailed(ServiceError):
    """The address is not allowed or gave nothing usable; no message holds its path or query."""

    code = "fetch_failed"


class Interrupted(FetchFailed):
    """The connection broke or the server failed: the same address may answer the next time."""


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What may be fetched.

    ``origin`` is the address of a server that is trusted as configured, be it on a private network.
    ``hosts`` are other hosts, each by its exact name, on ports 80 and 443 of public addresses only.
    ``connect_timeout_s`` bounds each connection, ``max_bytes`` each body.
    """

    origin: str
    hosts: tuple[str, ...]
    max_bytes: int
    connect_timeout_s: float


def open_socket(to: AddrInfoType) -> socket.socket:
    """Open a socket for an address, as the connector does by itself."""
    family, kind, protocol, _, _ = to
    return socket.socket(family, kind, protocol)


def is_public(address: str) -> bool:
    """Tell whether a numeric address is one of the public internet; a zone says it is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.scope_id or parsed not in _PUBLIC_V6):
        return False
    return not any(parsed in network for network in _NOT_PUBLIC)


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
        guarding = aiohttp.TCPConnector(
            limit=0,
            resolver=self._resolver,
            socket_factory=self._guarded_socket,
            # One address after another, so that the first one that is not public ends it.
            happy_eyeballs_delay=None,
        )
        self._trusting, self._guarding = [
            await self._stack.enter_async_context(_session(one)) for one in (trusting, guarding)
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
        Fetch the body of a 200; a broken connection and a 5xx are tried again twice.

        Args:
            address: Where the body is; each redirect is held to the policy like it.
            deadline: When to give up, seconds by the loop's clock.

        Raises:
            FetchFailed: With the host and the reason.
        """
        try:
            async with asyncio.timeout_at(deadline):
                for wait_s in _RETRY_WAITS_S:
                    try:
                        return await self._followed(address, policy)
                    except Interrupted:
                        await asyncio.sleep(wait_s)
                return await self._followed(address, policy)
        except TimeoutError as error:
            raise FetchFailed("what is at the address did not come in time") from error

    async def _followed(self, address: str, policy: Policy) -> bytes:
        url = _parsed(address)
        for _ in range(MAX_REDIRECTS + 1):
            came = await self._got(url, policy)
            if isinstance(came, bytes):
                return came
            url = came
        raise FetchFailed(f"{_host(url)} redirects more than {MAX_REDIRECTS} times")

    async def _got(self, url: URL, policy: Policy) -> bytes | URL:
        """Give the body, or the address that the server points to."""
        timeout = aiohttp.ClientTimeout(total=None, connect=policy.connect_timeout_s)
        session = self._session_for(url, policy)
        try:
            async with session.get(url, timeout=timeout, allow_redirects=False) as response:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    to = URL(response.headers["Location"], encoded=True)
                    return _parsed(str(url.join(to)))
                if response.status != 200:
                    kind = Interrupted if response.status >= 500 else FetchFailed
                    raise kind(f"{_host(url)} answered HTTP {response.status}")
                return await body_of(response, policy.max_bytes)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Interrupted(f"{_host(url)}: {type(error).__name__}") from error
        except ValueError as error:
            raise FetchFailed(f"{_host(url)} redirects to what is no address") from error

    def _session_for(self, url: URL, policy: Policy) -> aiohttp.ClientSession:
        origin = URL(policy.origin).origin()  # Without the user name and password it may have.
        if url.user is None and url.password is None:
            if _origin(url) == _origin(origin):
                return self._trusting
            hosts = [host.lower() for host in policy.hosts]
            if _host(url) in hosts and url.explicit_port in (None, *_PORTS):
                return self._guarding
        raise FetchFailed(
            f"an address at {_host(url)[:255]} is not fetched; allowed are {origin} and "
            f"{', '.join(policy.hosts) or 'no other host'}, without user names, on ports 80 and 443"
        )

    def _guarded_socket(self, to: AddrInfoType) -> socket.socket:
        """Open a socket to a public address; raise FetchFailed for any other."""
        address = str(to[4][0])
        if not is_public(address):
            raise FetchFailed(f"{address} is not a public address")
        return self._opened(to)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """Make a session that takes nothing from the environment and keeps nothing."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
    )


def _parsed(address: str) -> URL:
    """Parse with the parser of the client itself, so that both see the same host."""
    with suppress(ValueError):  # Also from a port, which is read only when it is asked for.
        url = URL(address, encoded=True)
        if _ADDRESS.fullmatch(address) and url.host and url.port:
            return url
    raise FetchFailed("what should be an address cannot be read as one")


def _host(url: URL) -> str:
    return (url.raw_host or "").lower()


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, _host(url), url.port
