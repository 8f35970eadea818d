"""
Addresses that somebody else has written: which of them may be opened, as far as they show it.

What a name resolves to is checked by the fetcher, on each socket.
"""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from yarl import URL

from service.errors import ServiceError

PORTS: Final = (80, 443)
# Any other sign would have to be quoted, and a signed address must stay as it was signed.
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,8000}", re.IGNORECASE)
# A host that is an address in one spelling or another; names are judged on the socket alone.
_NUMERIC: Final = re.compile(r"[\d.]+|.*:.*")
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


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What may be fetched.

    ``origin`` is the address of a server that is trusted as configured, be it on a private network,
    and so is every port of ``trusted_hosts``.  ``hosts`` are other hosts, each by its exact name
    (``*.`` in front: every name below it; None: any), on ports 80 and 443 of public addresses only.
    ``connect_timeout_s`` bounds each connection, ``max_bytes`` each body.
    """

    origin: str | None
    hosts: tuple[str, ...] | None
    max_bytes: int
    connect_timeout_s: float
    trusted_hosts: tuple[str, ...] = ()

    def trusts(self, url: URL) -> bool:
        """
        Tell whether an address is fetched wherever it leads, or only where it is public.

        Raises:
            FetchFailed: It is not fetched at all.
        """
        host = host_of(url)
        # Without the user name and password that the configured one may have.
        origin = URL(self.origin).origin() if self.origin is not None else None
        if url.user is None and url.password is None:
            if origin is not None and _origin(url) == _origin(origin):
                return True
            if host in self.trusted_hosts:
                return True
            if self.hosts is None:
                if fault := public_fault(url):
                    raise FetchFailed(fault)
                return False
            if url.explicit_port in (None, *PORTS) and listed(host, self.hosts):
                return False
        others = ["any public host"] if self.hosts is None else self.hosts or ["no other host"]
        allowed = [*([str(origin)] if origin else []), *others]
        raise FetchFailed(
            f"an address at {host[:255]} is not fetched; allowed: {', '.join(allowed)}, "
            "without user names, on ports 80 and 443"
        )


def is_public(address: str) -> bool:
    """Tell whether a numeric address is one of the public internet; a zone says it is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.scope_id or parsed not in _PUBLIC_V6):
        return False
    return not any(parsed in network for network in _NOT_PUBLIC)


def parsed(address: str) -> URL:
    """Parse with the parser of the client itself, so that both see the same host."""
    with suppress(ValueError):  # Also from a port, which is read only when it is asked for.
        url = URL(address, encoded=True)
        if _ADDRESS.fullmatch(address) and url.host and url.port:
            return url
    raise FetchFailed("what should be an address cannot be read as one")


def public_fault(url: URL) -> str | None:
    """Tell why an address is none of the public internet, as far as it shows; None if it may be."""
    host = host_of(url)
    if url.explicit_port not in (None, *PORTS):
        return f"port {url.port} is not called; allowed: 80 and 443"
    if _NUMERIC.fullmatch(host) and not is_public(host):
        return f"{host} is not a public address"
    return None


def listed(host: str, allowed: Iterable[str]) -> bool:
    """Tell whether a host is one of these; ``*.`` in front stands for every name below."""
    return any(
        host.endswith(one[1:].lower()) if one.startswith("*.") else host == one.lower()
        for one in allowed
    )


def host_of(url: URL) -> str:
    """Give the host as it is compared: in lower case, without the brackets of IPv6."""
    return (url.raw_host or "").lower()


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, host_of(url), url.port
