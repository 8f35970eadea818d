"""POSTs messages to addresses that platforms have written, through the guarded sockets."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from yarl import URL

from service import addresses, fetching
from service.addresses import FetchFailed
from service.errors import ServiceError

MAX_URL: Final = 2000


class AddressRefused(ServiceError):
    """Nothing is sent to such an address; the message tells why, without path and query."""

    code = "url_not_allowed"


class PostFailed(ServiceError):
    """The receiver gave no answer; the message tells why, without path and query."""

    code = "post_failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered; ``retry_after_s`` is how long it asked to be left alone."""

    status: int
    retry_after_s: float | None


def checked(address: str, trusted_hosts: tuple[str, ...]) -> URL:
    """
    Read an address that messages may be sent to.

    Args:
        trusted_hosts: Hosts that may be on private networks, use http and any port.

    Raises:
        AddressRefused: Not https on 443 or http on 80 of another host, or not plainly an address.
    """
    try:
        url = addresses.parsed(address[: MAX_URL + 1])
    except FetchFailed as error:
        raise AddressRefused("an address is http(s)://HOST/..., in plain ASCII") from error
    host = url.raw_host or ""
    if len(address) > MAX_URL:
        raise AddressRefused(f"an address has at most {MAX_URL} characters")
    if url.user is not None or url.password is not None or "#" in address:
        raise AddressRefused("an address has no user name, no password and no fragment")
    if host.lower() not in trusted_hosts and (fault := addresses.public_fault(url)):
        raise AddressRefused(fault)
    return url


class Poster:
    """Sends POSTs without cookies, proxies and redirects; open it as a context manager."""

    def __init__(
        self,
        trusted_hosts: tuple[str, ...],
        timeout_s: float,
        resolver: AbstractResolver | None = None,
        opened: Callable[[AddrInfoType], socket.socket] = fetching.open_socket,
    ) -> None:
        self._trusted_hosts, self._timeout_s = trusted_hosts, timeout_s
        self._resolver, self._opened = resolver, opened
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # A connection kept open would be lost at the receiver's whim, which looks like a failure.
        trusting = aiohttp.TCPConnector(limit=0, resolver=self._resolver, force_close=True)
        guarding = fetching.guarded_connector(self._resolver, self._opened, force_close=True)
        self._trusting, self._guarding = [
            await self._stack.enter_async_context(fetching.bare_session(one))
            for one in (trusting, guarding)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def post(self, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Send a body and tell the status that came back; what stands in the answer is not read.

        Raises:
            PostFailed: Nothing came back in time, or the address is not one to be called.
            LocalFault: This machine could open no connection.
        """
        try:
            url = checked(address, self._trusted_hosts)
            trusted = (url.raw_host or "").lower() in self._trusted_hosts
            session = self._trusting if trusted else self._guarding
            async with (
                asyncio.timeout(self._timeout_s),
                session.post(
                    url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as response,
            ):
                return Answer(response.status, fetching.retry_after_s(response.headers))
        except TimeoutError as error:
            raise PostFailed(f"no answer within {self._timeout_s:g} s") from error
        except (AddressRefused, FetchFailed) as error:
            raise PostFailed(str(error)) from error
        # A server that speaks no HTTP makes aiohttp raise a ValueError here and there.
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fetching.refuse_ours(error)
            raise PostFailed(
                f"{type(error).__name__}: the connection or the answer broke"
            ) from error
