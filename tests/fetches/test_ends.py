"""How fetches end: with the image, with a typed failure that is told, or with another try."""

import asyncio
from dataclasses import dataclass

import pytest

from service import gathering
from service.pictures import headers
from service.store import Pool
from service.store.database import Database
from tests import draw, fetches
from tests.conftest import Api
from tests.edits.site import Handler, Site, breaks, gives, points_to, serving
from tests.flows import driving
from tests.flows.driving import TEAL, Owner
from tests.web import sending

MAX_BYTES = 20_000
BOMB = draw.png(8, 8, "teal").replace(
    (8).to_bytes(4, "big") * 2, (60_000).to_bytes(4, "big") * 2, 1
)


@dataclass(frozen=True, slots=True)
class End:
    """How an upload ends that will not get its image, and a part of the reason that is shown."""

    answer: Handler
    outcome: str
    reason: str


ENDS = {
    "/missing": End(gives(b"", 404), "not_fetched", "127.0.0.1 answered HTTP 404"),
    "/forbidden": End(gives(b"", 403), "not_fetched", "HTTP 403"),
    "/gone": End(gives(b"", 410), "not_fetched", "HTTP 410"),
    "/empty": End(gives(b"", 204), "not_fetched", "HTTP 204"),
    "/part": End(gives(TEAL, 206), "not_fetched", "HTTP 206"),
    "/inside": End(points_to("http://10.0.0.1/a"), "not_fetched", "10.0.0.1 is not a public"),
    "/metadata": End(points_to("http://[fd00:ec2::254]/"), "not_fetched", "is not a public"),
    "/port": End(points_to("http://example.org:6379/"), "not_fetched", "port 6379 is not called"),
    "/user": End(points_to("http://a:b@example.org/"), "not_fetched", "without user names"),
    "/file": End(points_to("file:///etc/passwd"), "not_fetched", "cannot be read as one"),
    "/circle": End(points_to("/circle"), "not_fetched", "more than 3 times"),
    "/large": End(gives(TEAL + bytes(MAX_BYTES)), "not_fetched", f"over {MAX_BYTES} bytes"),
    "/nothing": End(gives(b""), "unreadable", "the image is empty"),
    "/page": End(gives(b"<html>not here</html>"), "unreadable", "the file is HTML"),
    "/cut": End(gives(TEAL[:20]), "unreadable", "its header is cut off"),
    "/bomb": End(gives(BOMB), "unreadable", "60000"),
}


async def test_image_that_comes_is_worked_on(
    api: Api, pool: Pool, where: Database, owner: Owner
) -> None:
    """The answer is a 202 that waits for the fetch; then the upload is due, its bytes counted."""
    async with serving(Site([gives(TEAL)])) as site:
        status, body, answered = await api.platform.ask(
            "POST",
            "/v1/uploads",
            json={"image_url": f"{site.url}/a.png?signature=secret", "external_id": "no 7"},
        )
        assert (status, body["state"], body["waiting_for"]) == (202, "queued", "fetch"), body
        assert body["fetch"] == {"tries": 0, "error": None}
        assert (await api.platform.ask("GET", answered["Location"]))[1] == body
        assert await owner.fetchval("SELECT bytes FROM intake_days") == 0
        async with fetches.gathering(pool, where):
            (row,) = await fetches.come(owner, body["id"])
        assert site.asked == ["/a.png?signature=secret"]
    assert (row["state"], row["waiting_for"], row["leads"]) == ("queued", None, True)
    stored = await owner.fetchval("SELECT data FROM images WHERE sha256 = $1", row["image_sha256"])
    assert stored == TEAL
    (day,) = await owner.fetch("SELECT uploads, bytes FROM intake_days")
    assert tuple(day) == (1, len(TEAL))
    shown = (await api.platform.ask("GET", answered["Location"]))[1]
    assert shown["fetch"] == {"tries": 1, "error": None}


async def test_each_failure_has_its_outcome_and_reason(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """It is held, told of once, tried once, and the reason has neither path nor query."""
    site = Site([fetches.by_path({path: end.answer for path, end in ENDS.items()})])
    limits = headers.Limits(max_bytes=MAX_BYTES)
    async with serving(site), fetches.gathering(pool, where, limits=limits):
        ids = [await fetches.told(pool, f"{site.url}{path}?key=secret") for path in ENDS]
        rows = await fetches.come(owner, *ids)
    for (path, end), row in zip(ENDS.items(), rows, strict=True):
        fetch = await fetches.fetch_of(owner, row["id"])
        assert (row["state"], row["outcome"], row["verdict"]) == ("failed", end.outcome, "hold"), (
            path,
            fetch["error"],
        )
        assert end.reason in fetch["error"], path
        assert "secret" not in fetch["error"]
        assert f"{path}?" not in fetch["error"]
        assert (fetch["tries"], row["image_sha256"]) == (1, None), path
        await driving.message_of(owner, row["id"])
    assert site.asked.count("/circle?key=secret") == 1
    assert not await owner.fetchval("SELECT count(*) FROM images")


async def test_what_may_pass_is_tried_again(pool: Pool, where: Database, owner: Owner) -> None:
    """A 503, a broken body and a 429 put it off, as long as was asked for within bounds."""
    site = Site([gives(b"", 503), breaks, gives(b"", 429, **{"Retry-After": "9000"}), gives(TEAL)])
    async with serving(site), fetches.gathering(pool, where) as gatherer:
        upload = await fetches.told(pool, site.url)
        for tries, reason, least_s, most_s in (
            (1, "HTTP 503", 4, 6),
            (2, "ClientPayloadError", 12, 18),
            (3, "HTTP 429", 300, 300),
        ):
            fetch = await fetches.tried(owner, gatherer, upload, tries)
            assert reason in fetch["error"]
            # A second or two went by since it was put off.
            assert least_s - 3 <= fetch["due_in_s"] <= most_s
            await fetches.hurry(owner)
        (row,) = await fetches.come(owner, upload)
    fetch = await fetches.fetch_of(owner, upload)
    assert (row["state"], fetch["tries"], fetch["error"]) == ("queued", 4, None)


async def test_six_tries_are_all(pool: Pool, where: Database, owner: Owner) -> None:
    """A host that nobody is at ends the upload with what the last try met."""
    async with serving(Site()) as site:
        url = site.url
    async with fetches.gathering(pool, where) as gatherer:
        upload = await fetches.told(pool, url)
        for tries in range(1, gathering.MAX_TRIES):
            await fetches.tried(owner, gatherer, upload, tries)
            await fetches.hurry(owner)
        (row,) = await fetches.come(owner, upload)
    fetch = await fetches.fetch_of(owner, upload)
    assert (row["outcome"], fetch["tries"]) == ("not_fetched", 6)
    assert fetch["error"] == "given up: 127.0.0.1: ClientConnectorError"


@pytest.mark.parametrize(
    ("tries", "retry_after_s", "jitter", "expected"),
    [
        (1, None, 0, 5),
        (1, None, 1, 6),
        (5, None, -1, 280),
        (6, None, 0, None),
        (1, 0, 0, 5),
        (1, 90, 0, 90),
        (1, 1e9, 0, 300),
        (5, 20, 0, 350),
        (6, 20, 0, None),
    ],
)
def test_schedule(
    tries: int, retry_after_s: float | None, jitter: float, expected: float | None
) -> None:
    """Six tries within ten minutes; a server's wish counts between 1 and 300 seconds."""
    assert gathering.delay_s(tries, retry_after_s, jitter) == expected
    assert sum(gathering.SCHEDULE_S) == 600


REFUSED = {
    "other port": "http://example.org:8080/a.png",
    "literal": "http://10.1.2.3/a.png",
    "metadata": "http://169.254.169.254/latest",
    "decimal": "http://2130706433/",
    "short": "http://127.1/",
    "mapped": "http://[::ffff:8.8.8.8]/",
    "user": "http://me:pass@127.0.0.1/",
    "scheme": "ftp://example.org/a.png",
    "no address": "a.png",
    "space": "http://example.org/a b.png",
    "empty": "",
}


async def test_what_can_never_be_fetched_is_refused_at_once(api: Api, owner: Owner) -> None:
    """The 422 names the reason and nothing is stored."""
    for name, url in REFUSED.items():
        answer = await api.platform.ask("POST", "/v1/uploads", json={"image_url": url})
        sending.check_problem(answer, 422, "image_url_not_allowed", name)
    assert await sending.stored(owner) == sending.NOTHING
    assert not await owner.fetchval("SELECT count(*) FROM fetches")


async def test_only_the_listed_hosts_are_fetched_from(
    api: Api, pool: Pool, where: Database, owner: Owner
) -> None:
    """A platform's list holds at the door and for redirects, even of what the operator trusts."""
    await fetches.set_fetching(pool, {"hosts": ["localhost", "*.Example.org"]})
    for url in ("http://127.0.0.1/", "http://example.org/", "http://badexample.org/"):
        answer = await api.platform.ask("POST", "/v1/uploads", json={"image_url": url})
        sending.check_problem(answer, 422, "image_url_not_allowed", url)
        assert "localhost, *.example.org" in answer[1]["detail"]
    hosts = ("127.0.0.1", "localhost")
    async with serving(Site()) as site:
        site.script = [
            fetches.by_path({"/a": gives(TEAL), "/b": points_to(f"http://127.0.0.1:{site.port}/a")})
        ]
        async with fetches.gathering(pool, where, hosts):
            ids = [
                await fetches.told(pool, f"http://localhost:{site.port}/{name}", hosts=hosts)
                for name in "ab"
            ]
            came, refused = await fetches.come(owner, *ids)
    assert (came["state"], refused["outcome"]) == ("queued", "not_fetched")
    assert "127.0.0.1 is not fetched" in (await fetches.fetch_of(owner, ids[1]))["error"]


async def test_key_repeats_the_answer_and_another_address_is_a_mismatch(api: Api) -> None:
    """What a key stands for is the address, before anything was fetched."""
    key = {"Idempotency-Key": "k"}
    first, again, other = [
        await api.platform.ask("POST", "/v1/uploads", json={"image_url": url}, headers=key)
        for url in ("http://127.0.0.1/a", "http://127.0.0.1/a", "http://127.0.0.1/b")
    ]
    assert (first[0], first[1]) == (again[0], again[1])
    sending.check_problem(other, 422, "idempotency_mismatch")


async def test_bytes_over_the_quota_of_the_day_fail_it(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """The first fits, the second no longer does; uploads are counted when they are told of."""
    limit = len(TEAL) + 10
    await owner.execute(
        "INSERT INTO platforms (name, max_bytes_per_day) VALUES ('default', $1)", limit
    )
    async with serving(Site([gives(TEAL)])) as site, fetches.gathering(pool, where):
        first = await fetches.told(pool, site.url)
        await fetches.come(owner, first)
        (row,) = await fetches.come(owner, await fetches.told(pool, site.url))
    assert (row["outcome"], row["image_sha256"]) == ("not_fetched", None)
    assert "bytes a day" in (await fetches.fetch_of(owner, row["id"]))["error"]
    (day,) = await owner.fetch("SELECT uploads, bytes FROM intake_days")
    assert tuple(day) == (2, len(TEAL))


async def test_waiting_request_is_answered_when_the_fetch_fails(
    api: Api, pool: Pool, where: Database
) -> None:
    """Whoever waits on the connection gets the failed upload, held, with the reason."""
    async with serving(Site([gives(b"", 404)])) as site, fetches.gathering(pool, where):
        async with asyncio.timeout(20):
            status, body, _ = await api.platform.ask(
                "POST",
                "/v1/uploads",
                json={"image_url": site.url},
                headers={"Prefer": "wait=15"},
            )
    assert (status, body["outcome"], body["verdict"]) == (200, "not_fetched", "hold")
    assert body["fetch"] == {"tries": 1, "error": "127.0.0.1 answered HTTP 404"}
