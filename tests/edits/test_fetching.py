"""The guarded fetcher against real sockets: where it goes, where it does not, how it gives up."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator

import pytest

from service.addresses import FetchFailed, Policy, is_public
from service.fetching import Fetcher, Interrupted
from tests.dialects import samples
from tests.edits.site import (
    Names,
    Site,
    Wires,
    breaks,
    deadline,
    gives,
    hangs,
    peer,
    points_to,
    serving,
)

BODY = b"the edited picture"
PUBLIC = "93.184.216.34"
HOST = "images.example.com"
SIGNED = "/a%2Fb.png?X-Signature=QUJD%2Fw%3D%3D&e=1+2"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site that gives the body."""
    async with serving(Site([gives(BODY)])) as served:
        yield served


def policy(origin: str = "https://api.example.com/v1", **changes: object) -> Policy:
    values = {"hosts": (HOST,), "max_bytes": 1000, "connect_timeout_s": 2.0, **changes}
    return Policy(origin=origin, **values)  # type: ignore[arg-type]


async def refusal(address: str, rules: Policy, fetcher: Fetcher | None = None) -> FetchFailed:
    """Give the failure of a fetch that must fail."""
    async with fetcher or Fetcher() as opened:
        with pytest.raises(FetchFailed) as caught:
            await opened.fetch(address, rules, deadline())
    return caught.value


async def fetched(address: str, rules: Policy) -> bytes:
    async with Fetcher() as fetcher:
        return await fetcher.fetch(address, rules, deadline())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((one, True) for one in (PUBLIC, "8.8.8.8", "223.255.255.255", "2606:4700::1111")),
        *((one, False) for one in ("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "100.64.0.1")),
        *((one, False) for one in ("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8")),
        *((one, False) for one in ("192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1")),
        *((one, False) for one in ("198.51.100.1", "203.0.113.1", "168.63.129.16")),
        *((one, False) for one in ("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255")),
        *((one, False) for one in ("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1")),
        *((one, False) for one in ("::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::8.8.8.8")),
        *((one, False) for one in ("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1")),
        *((one, False) for one in ("2001:db8::1", "3fff::1", "5f00::1", "100::1", "fc00::1")),
        *((one, False) for one in ("fd00::1", "fe80::1", "fec0::1", "ff02::1", "fe80::1%eth0")),
        *((one, False) for one in ("2606:4700::1111%eth0", "2130706433", "0177.0.0.1", "127.1")),
        *(
            (one, False)
            for one in ("0x7f000001", "\uff11\uff12\uff17.0.0.1", "8.8.8.8 ", "", "localhost")
        ),
    ],
)
def test_public_is_the_public_internet_alone(address: str, public: bool) -> None:  # noqa: FBT001
    """Every special network is out, and so is every spelling that hides an IPv4 address."""
    assert is_public(address) is public


async def test_origin_is_trusted_as_configured(site: Site) -> None:
    """The upstream's own server is fetched from wherever it is, and the address stays as signed."""
    assert await fetched(site.url + SIGNED, policy(f"{site.url}/v1")) == BODY
    assert site.asked == [SIGNED]


async def test_nothing_but_the_address_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no cookie, no proxy of the environment, and no offer to take compressed bodies."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cookie = {"Location": "/next", "Set-Cookie": "a=b; Path=/"}
    site.script = [gives(b"", 302, **cookie), gives(BODY)]
    assert await fetched(f"{site.url}/first", policy(site.url)) == BODY
    assert [set(headers) for headers in site.headers] == [
        {"host", "accept", "accept-encoding", "user-agent"}
    ] * 2
    assert site.headers[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{other}/x",
        "https://127.0.0.1:{port}/x",
        "http://localhost:{port}/x",
        "http://127.1:{port}/x",
        "http://2130706433:{port}/x",
        "http://[::ffff:127.0.0.1]:{port}/x",
        "http://user@127.0.0.1:{port}/x",
        "http://:word@127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}@evil.example/x",
        "http://127.0.0.1%2f:{port}/x",
        "http://evil.example/x",
        "http://evil.example#127.0.0.1:{port}/x",
        f"http://{HOST}.evil.example/x",
        f"http://{HOST}./x",
        f"http://{HOST}:8080/x",
        f"https://user:word@{HOST}/x",
    ],
)
async def test_any_other_address_is_refused(site: Site, address: str) -> None:
    """What is not the origin and not a named host on its own port is not even connected to."""
    async with serving(Site([gives(BODY)])) as other:
        given = address.format(port=site.port, other=other.port)
        origin = f"http://user:secret@127.0.0.1:{site.port}/v1"
        failed = await refusal(f"{given}?signature=secret", policy(origin))
        assert "not fetched" in str(failed)
        assert "secret" not in str(failed)
        assert site.asked + other.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "http://h:0/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            "//127.0.0.1/x",
            "http:///x",
        ),
        *("http://127.0.0.1:{port}/a b", "http://127.0.0.1:{port}/\r\nX-Header: 1"),
        *("http://127.0.0.1:99999/", "http://[::1/", "http://127.0.0.1\\@evil.example/"),
        *(
            "http://127.0.0.1:{port}/ü",
            "http://\uff11\uff12\uff17.0.0.1:{port}/",
            "http://h/" + "a" * 9000,
        ),
    ],
)
async def test_what_is_no_plain_address_is_refused(site: Site, address: str) -> None:
    """An address that two parsers could read in two ways is not read at all."""
    failed = await refusal(address.replace("{port}", str(site.port)), policy(site.url))
    assert len(str(failed)) < 500
    assert site.asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.7", PUBLIC],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["2002:a00::"],
    ],
)
async def test_named_host_must_be_public(site: Site, addresses: list[str]) -> None:
    """A named host that resolves into a private network is refused before it is connected to."""
    wires = Wires(site.port)
    fetcher = Fetcher(Names({HOST: addresses}), wires.open)
    failed = await refusal(f"http://{HOST}/x", policy(), fetcher)
    assert str(failed) == f"{addresses[0]} is not a public address"
    assert wires.connected == []


@pytest.mark.parametrize("literal", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1%251]"])
async def test_named_literal_must_be_public(site: Site, literal: str) -> None:
    """An address written in numbers, which no resolver sees, is held to the same rule."""
    wires = Wires(site.port)
    rules = policy(hosts=(literal.strip("[]"),))
    assert "not a public address" in str(
        await refusal(f"http://{literal}/x", rules, Fetcher(Names({}), wires.open))
    )
    assert wires.connected == []


@pytest.mark.parametrize("number", ["2130706433", "127.1", "0177.0.0.1", "0x7f.1", "017700000001"])
async def test_number_in_another_form_leads_nowhere(site: Site, number: str) -> None:
    """The old forms of IPv4 are no address, even as the name of a host that is allowed."""
    wires = Wires(site.port)
    await refusal(f"http://{number}/x", policy(hosts=(number,)), Fetcher(opened=wires.open))
    assert wires.connected == []


async def test_checked_address_is_the_one_connected_to(site: Site) -> None:
    """A public host is reached at the very address that was resolved and checked."""
    wires = Wires(site.port)
    async with Fetcher(Names({HOST: [PUBLIC]}), wires.open) as fetcher:
        body = await fetcher.fetch(f"http://{HOST.upper()}/x?y=1", policy(), deadline())
    assert body == BODY
    assert wires.connected == [(PUBLIC, 80)]
    assert site.headers[0]["host"] == HOST.upper()


async def test_redirect_is_held_to_the_same_rules(site: Site) -> None:
    """From a public host neither a name inside nor another host nor another scheme is reached."""
    wires = Wires(site.port)
    inside = "inside.example.com"
    names = Names({HOST: [PUBLIC], inside: ["127.0.0.1"]})
    for to, reason in (
        (f"http://{inside}/", "not a public address"),
        ("http://127.0.0.1/", "not fetched"),
        ("//evil.example/", "not fetched"),
        ("http://user:word@images.example.com/", "not fetched"),
        ("file:///etc/passwd", "cannot be read"),
        ("http://[", "no address"),
    ):
        site.script = [points_to(to)]
        fetcher = Fetcher(names, wires.open)
        failed = await refusal(f"http://{HOST}/x", policy(hosts=(HOST, inside)), fetcher)
        assert reason in str(failed), to
    assert wires.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("redirects", [3, 4])
async def test_three_redirects_are_followed_and_no_more(site: Site, redirects: int) -> None:
    """A chain of addresses ends, however it goes on."""
    site.script = [points_to(f"/{number}") for number in range(redirects)] + [gives(BODY)]
    if redirects == 3:
        assert await fetched(f"{site.url}/x", policy(site.url)) == BODY
    else:
        assert "3 times" in str(await refusal(f"{site.url}/x", policy(site.url)))
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    ("status", "asked"), [(204, 1), (206, 1), (304, 1), (404, 1), (410, 1), (500, 3), (503, 3)]
)
async def test_only_200_is_taken(site: Site, status: int, asked: int) -> None:
    """No other status gives an image; what may pass is asked three times in all."""
    site.script = [gives(BODY if status not in (204, 304) else b"", status)]
    failed = await refusal(f"{site.url}/x?signature=secret", policy(site.url))
    assert f"HTTP {status}" in str(failed)
    assert "secret" not in str(failed)
    assert len(site.asked) == asked


async def test_passing_fault_is_tried_again(site: Site) -> None:
    """A broken connection and a 503 cost nothing but a moment."""
    site.script = [breaks, gives(b"", 503), gives(BODY)]
    assert await fetched(f"{site.url}/x", policy(site.url)) == BODY
    assert len(site.asked) == 3


async def test_body_over_the_limit_is_refused(site: Site) -> None:
    """The limit holds, and the one byte more is not asked for again."""
    site.script = [gives(b"x" * 1000)]
    assert len(await fetched(f"{site.url}/x", policy(site.url))) == 1000
    site.script = [gives(b"x" * 1001)]
    assert "over 1000 bytes" in str(await refusal(f"{site.url}/x", policy(site.url)))
    assert len(site.asked) == 2


async def test_deadline_ends_the_fetch(site: Site) -> None:
    """A site that does not answer is left when the time of the whole call is up."""
    until = asyncio.Event()
    site.script = [hangs(until)]
    began = time.monotonic()
    async with Fetcher() as fetcher:
        with pytest.raises(FetchFailed, match="in time"):
            await fetcher.fetch(f"{site.url}/x", policy(site.url), deadline(0.3))
    until.set()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("status", "headers", "retry_after_s"),
    [
        (503, {}, None),
        (500, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": "0.5"}, 0.5),
        (429, {"Retry-After": "soon"}, None),
    ],
)
async def test_single_try_tells_what_may_pass(
    site: Site, status: int, headers: dict[str, str], retry_after_s: float | None
) -> None:
    """It asks once, and says for how long the server wants to be left alone."""
    site.script = [gives(b"", status, **headers)]
    async with Fetcher() as fetcher:
        with pytest.raises(Interrupted) as caught:
            await fetcher.fetch_once(f"{site.url}/x", policy(site.url), 5)
    assert (caught.value.retry_after_s, len(site.asked)) == (retry_after_s, 1)


async def test_single_try_that_takes_too_long_may_pass(site: Site) -> None:
    """What hangs is left in time, and may be asked again."""
    until = asyncio.Event()
    site.script = [hangs(until)]
    async with Fetcher() as fetcher:
        with pytest.raises(Interrupted, match="in time"):
            await fetcher.fetch_once(f"{site.url}/x", policy(site.url), 0.3)
    until.set()


async def test_without_a_list_any_public_host_is_fetched(site: Site) -> None:
    """Its address is checked on the socket all the same, and on every hop."""
    wires = Wires(site.port)
    names = Names({HOST: [PUBLIC], "b.example": [PUBLIC], "inside.example": ["10.0.0.7"]})
    rules = Policy(None, None, 1000, 2.0)
    site.script = [points_to("http://b.example/y"), gives(BODY)]
    async with Fetcher(names, wires.open) as fetcher:
        assert await fetcher.fetch_once(f"http://{HOST}/x", rules, 5) == BODY
        site.script = [points_to("http://inside.example/y")]
        with pytest.raises(FetchFailed, match=r"10\.0\.0\.7 is not a public address"):
            await fetcher.fetch_once(f"http://{HOST}/x", rules, 5)
    assert wires.connected == [(PUBLIC, 80)]


async def test_tls_is_asked_for_by_name() -> None:
    """The handshake names the host, though the connection goes to the checked number."""
    hello = bytearray()

    async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        hello.extend(await reader.read(4096))

    async with peer(listen) as address:
        wires = Wires(int(address.partition(":")[2]))
        fetcher = Fetcher(Names({HOST: [PUBLIC]}), wires.open)
        await refusal(f"https://{HOST}/x", policy(), fetcher)
    assert HOST.encode() in hello
    assert wires.connected == [(PUBLIC, 443)]


async def test_certificate_is_checked() -> None:
    """A certificate with the right name that nobody vouches for opens nothing."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(samples.FOLDER / "tls" / "self_signed.pem")
    async with serving(Site([gives(BODY)]), tls) as site:
        fetcher = Fetcher(Names({HOST: [PUBLIC]}), Wires(site.port).open)
        failed = await refusal(f"https://{HOST}/x", policy(), fetcher)
    assert "CertificateError" in str(failed)
    assert site.asked == []


async def test_connecting_has_a_limit_of_its_own() -> None:
    """A server that never shakes hands takes the time of three tries, not all that is left."""

    async def ignore(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(ignore) as address:
        fetcher = Fetcher(Names({HOST: [PUBLIC]}), Wires(int(address.partition(":")[2])).open)
        began = time.monotonic()
        failed = await refusal(f"https://{HOST}/x", policy(connect_timeout_s=0.2), fetcher)
    assert "Timeout" in str(failed)
    assert time.monotonic() - began < 5
