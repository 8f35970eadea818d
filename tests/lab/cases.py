"""What the fetcher is sent after: every spelling, name, redirect and change of mind we know of."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.lab.network import PUBLIC

HOST: Final = "images.example.com"
INTERNAL_V4: Final = (
    *("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.10", "100.64.0.1", "172.16.5.4"),
    "0.0.0.0",
)
INTERNAL_V6: Final = ("::1", "::", "fd00::7", "fe80::1", "fec0::1", "ff02::1", "64:ff9b:1::1")
GUARDED: Final = ("fetch", "fetch listed", "post")
Rounds = list[list[str]]
Pages = dict[str, list[tuple[int, str | None]]]


@dataclass(frozen=True)
class Case:
    """
    An address, what the names say round by round, and what the pages say round by round.

    ``ways`` are tried one after another in one world; ``reached`` are those that come to a public
    server, while no way may begin a connection to any other.
    """

    address: str
    names: dict[str, Rounds] = field(default_factory=dict)
    pages: Pages = field(default_factory=dict)
    ways: tuple[str, ...] = GUARDED
    reached: tuple[str, ...] = ()


def spelt_v4(address: str) -> Iterator[str]:
    """Every spelling of an IPv4 address that some parser takes for it."""
    a, b, c, d = (int(part) for part in address.split("."))
    whole = int(ipaddress.IPv4Address(address))
    yield from (address, f"{address}.", f"{a}.{b}.{c * 256 + d}", f"{a}.{whole & 0xFFFFFF}")
    yield from (str(whole), hex(whole), f"0{whole:o}", f"0X{whole:X}", f"{whole + 2**32}")
    yield from (f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}")
    yield from (
        f"0{a:o}.{b}.{c:#x}.{d}",
        f"{a:03}.{b:03}.{c:03}.{d:03}",
        f"000000{a:o}.{b}.{c}.{d}",
    )
    yield from (f"%{ord(address[0]):x}{address[1:]}", address.replace(".", "%2e"))
    yield from (
        address.replace(".", "\u3002"),
        address.translate({48 + n: 0xFF10 + n for n in range(10)}),
    )
    yield from (f"{address}%00.{HOST}", f"{address}%23.{HOST}", f"{address}%2f.{HOST}")


def spelt_v6(address: str) -> Iterator[str]:
    """Every IPv6 address that has an IPv4 address in it, by one transition or another."""
    four = ipaddress.IPv4Address(address)
    high, low = divmod(int(four), 65536)
    yield from (
        f"::ffff:{address}",
        f"::ffff:{high:x}:{low:x}",
        f"::{address}",
        f"::ffff:0:{address}",
    )
    yield from (f"64:ff9b::{address}", f"64:ff9b:1::{address}", f"2002:{high:x}:{low:x}::1")
    yield f"0:0:0:0:0:ffff:{high:04x}:{low:04x}"
    teredo = int(four) ^ 0xFFFFFFFF
    yield f"2001:0:5ef5:79fb::{teredo >> 16:x}:{teredo & 0xFFFF:x}"


def literals() -> Iterator[tuple[str, Case]]:
    """Addresses in place of names, in every spelling, on both ports and beside user names."""
    hosts = [spelling for address in INTERNAL_V4 for spelling in spelt_v4(address)]
    hosts += [f"[{spelling}]" for address in INTERNAL_V4 for spelling in spelt_v6(address)]
    hosts += [f"[{address}]" for address in INTERNAL_V6]
    hosts += [
        f"[{address}%{zone}]" for address in ("fe80::1", "::1") for zone in ("lo", "25lo", "1")
    ]
    hosts += [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "ip6-localhost",
        "[::1",
        "127.0.0.1]",
        "[v1.x]",
    ]
    for host in hosts:
        yield f"literal {host}", Case(f"http://{host}/a")
    for written in (
        *("http://127.0.0.1:80/", "http://127.0.0.1:443/", "https://127.0.0.1/", "https://[::1]/"),
        *(f"http://{HOST}@127.0.0.1/", f"http://{HOST}:80@127.0.0.1/", f"http://a:b@{HOST}/"),
        *(
            f"http://127.0.0.1#@{HOST}/",
            f"http://127.0.0.1\\@{HOST}/",
            f"http://{HOST}\\@127.0.0.1/",
        ),
        *(f"http://127.0.0.1\t.{HOST}/", f"http://127.0.0.1\r\n.{HOST}/", "http://127.0.0.1 /"),
        *(
            f"http://{HOST}:8080/",
            f"http://{HOST}:22/",
            f"http://{HOST}:0/",
            f"http://{HOST}:65616/",
        ),
        *(f"http://{HOST}:-80/", f"http://{HOST}:8o/", f"http://{PUBLIC[0]}:6379/"),
        *("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:80/", "unix:///var/run/a"),
        *("//127.0.0.1/", "http:127.0.0.1/", "http:///127.0.0.1/", "http://", "http:///", ""),
    ):
        yield f"written {written!r}", Case(written, {HOST: [list(PUBLIC)]})


def names() -> Iterator[tuple[str, Case]]:
    """Names that lead to internal addresses: alone, beside public ones, by aliases, or later."""
    internal = (
        *INTERNAL_V4,
        *INTERNAL_V6,
        "::ffff:10.1.2.3",
        "64:ff9b::a01:203",
        "2002:a01:203::1",
    )
    for address in internal:
        yield f"name of {address}", Case(f"http://{HOST}/a", {HOST: [[address]]})
        for public in PUBLIC:
            # Nobody listens on 443, so the next address of the answer is tried.
            for answer in ([public, address], [address, public]):
                for port in (80, 443):
                    both = Case(f"http://{HOST}:{port}/a", {HOST: [answer]})
                    yield f"name of {' and '.join(answer)} at {port}", both
    chain = {HOST: [["=one.example.net"]], "one.example.net": [["=two.example.net"]]}
    for address in internal:
        aliased = {**chain, "two.example.net": [[address]]}
        yield f"alias of {address}", Case(f"http://{HOST}/a", aliased)


def rebinding() -> Iterator[tuple[str, Case]]:
    """A name that is public when it is looked at, and internal when it is opened, or later."""
    for address in ("127.0.0.1", "169.254.169.254", "fd00::7", "::ffff:10.1.2.3"):
        turns = {HOST: [[PUBLIC[0]], [address]]}
        for way in GUARDED:
            once = Case(f"http://{HOST}/a", turns, ways=(way, way, way), reached=(way,))
            yield f"turns to {address} after the first look: {way}", once
        busy: Pages = {"/a": [(503, None), (200, None)]}
        again = Case(
            f"http://{HOST}/a", turns, busy, ways=("fetch thrice",), reached=("fetch thrice",)
        )
        yield f"turns to {address} between tries of one fetch", again
        # Spelt otherwise, it is another name to whoever remembers, and is looked up again.
        for spelling in (f"{HOST}.", HOST.upper()):
            hop: Pages = {"/a": [(302, f"http://{spelling}/b")]}
            yield f"turns to {address} before {spelling}", Case(f"http://{HOST}/a", turns, hop)


def redirects() -> Iterator[tuple[str, Case]]:
    """Public pages that point elsewhere."""
    inside = "inside.example.net"
    known = {HOST: [list(PUBLIC)], inside: [["10.1.2.3"]]}
    targets = (
        *("http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/"),
        *("http://2130706433/", "http://0x7f.1/", "http://[::ffff:10.1.2.3]/", f"http://{inside}/"),
        *("//127.0.0.1/", f"//{inside}/", "file:///etc/passwd", f"http://{HOST}:8080/"),
        *(
            "http://10.1.2.3:443/",
            f"http://{HOST}@127.0.0.1/",
            "http:\\\\127.0.0.1/",
            "gopher://a/",
        ),
        *("/\\127.0.0.1/", "\\\\127.0.0.1\\a", "http://[", "http://\x7f/", ""),
    )
    for target in targets:
        for status in (301, 302, 303, 307, 308) if target == targets[0] else (302,):
            page: Pages = {"/a": [(status, target)]}
            yield f"{status} to {target!r}", Case(f"http://{HOST}/a", known, page)
    for status in (300, 304, 305, 306):
        yield (
            f"{status} to internal",
            Case(f"http://{HOST}/a", known, {"/a": [(status, targets[0])]}),
        )
    hops: Pages = {f"/{n}": [(302, f"/{n + 1}")] for n in range(3)}
    for length, last in ((3, "http://127.0.0.1/"), (2, f"http://{inside}/"), (1, "//10.1.2.3/")):
        chain: Pages = {**dict(list(hops.items())[:length]), f"/{length}": [(302, last)]}
        yield f"{length} public hops and then {last}", Case(f"http://{HOST}/0", known, chain)


def public() -> Iterator[tuple[str, Case]]:
    """What must work: the lab has not merely cut everything off."""
    known = {HOST: [list(PUBLIC)], "cdn.example.net": [["=" + HOST]]}
    for address in (f"http://{HOST}/a", f"http://{PUBLIC[0]}/a", f"http://[{PUBLIC[1]}]:80/a"):
        yield f"public {address}", Case(address, known, reached=GUARDED)
    yield "public alias", Case("http://cdn.example.net/a", known, reached=GUARDED)
    for number, address in enumerate(PUBLIC, 4):
        alone = Case(f"http://{HOST}/a", {HOST: [[address]]}, reached=GUARDED)
        yield f"public over IPv{number if number == 4 else 6}", alone
    moved: Pages = {
        "/a": [(301, "//cdn.example.net/b")],
        "/b": [(307, "c")],
        "/c": [(308, f"http://{PUBLIC[0]}/d")],
    }
    ways = ("fetch", "fetch listed")
    yield "public after three hops", Case(f"http://{HOST}/a", known, moved, ways=ways, reached=ways)


CASES: Final = dict([*literals(), *names(), *rebinding(), *redirects(), *public()])
