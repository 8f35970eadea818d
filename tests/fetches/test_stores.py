"""Images in S3-compatible stores, fetched from a real server, its requests checked by botocore."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from service.addresses import FetchFailed
from service.hooks import StoredObject
from service.hooks.stores import FetchingSettings
from service.sources import Sources
from service.store import Pool
from service.store.database import Database
from tests import draw, fetches
from tests.edits.site import Site, serving
from tests.flows import driving
from tests.flows.driving import TEAL, Owner
from tests.flows.processes import ROOT

BUCKET, REGION = "club.photos", "eu-central-1"
KEY_ID, SECRET, TOKEN = "AKIA7EXAMPLE", "s3cr3t/+key=of-the-store", "tok/en+of=session"
KEYS = (
    "plain.png",
    "a/b c/d.png",
    "ünï/日本語 📷.png",
    "signs !$&'()*+,;=:@~.png",
    "percent%20and%2F.png",
    "question?hash#plus+.png",
    'back\\slash "quote" <tag> {brace} ^|`.png',
    "Screenshot 2026\u202fPM.png",
    "...dots/..a/.hidden.png",
)


@dataclass(slots=True)
class Gate:
    """
    Stands before the store and lets in what is signed right, as S3 does; the store itself is not
    asked to (moto checks no signature in an address).

    Source: botocore's own signer makes what a signature is compared with.
    """

    store: str = ""
    token: str | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        given, date = query.pop("X-Amz-Signature", ""), query.get("X-Amz-Date", "")
        right = (self._signature(request, date), KEY_ID, self.token)
        told = query.get("X-Amz-Credential", "").partition("/")[0]
        if (given, told, query.get("X-Amz-Security-Token")) != right:
            return web.Response(status=403, text="<Code>SignatureDoesNotMatch</Code>")
        async with (
            aiohttp.ClientSession() as session,
            session.get(URL(self.store + request.raw_path, encoded=True)) as response,
        ):
            return web.Response(status=response.status, body=await response.read())

    def _signature(self, request: web.Request, date: str) -> str:
        unsigned = f"http://{request.host}{request.raw_path}".partition("&X-Amz-Signature=")[0]
        signer = S3SigV4QueryAuth(Credentials(KEY_ID, SECRET), "s3", REGION)
        what = AWSRequest("GET", unsigned, headers={"host": request.host})
        what.context["timestamp"] = date
        canonical = signer.canonical_request(what)
        return str(signer.signature(signer.string_to_sign(what, canonical), what))


@contextlib.asynccontextmanager
async def moto() -> AsyncIterator[str]:
    """Run a store as a process of its own; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    async def up() -> bool:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            return await put(url, "", b"") == 200
        return False

    try:
        await driving.until(up, "the store has its bucket")
        yield url
    finally:
        process.kill()
        await process.wait()


async def put(url: str, path: str, data: bytes, query: str = "") -> int:
    """Write to the store, which lets in whoever says to be somebody; give the status."""
    scope = "Credential=x/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    address = URL(f"{url}/{BUCKET}{quote(path, safe='/')}{query}", encoded=True)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.put(address, data=data) as answer,
    ):
        return answer.status


@pytest.fixture
async def gate() -> AsyncIterator[tuple[Gate, Site]]:
    """The store behind its gate."""
    async with moto() as url:
        gate = Gate(url)
        async with serving(Site([gate.answer])) as site:
            yield gate, site


def store(site: Site, **changes: Any) -> dict[str, Any]:
    """What a platform keeps to read the bucket."""
    keys = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
    one = {"bucket": BUCKET, "endpoint": site.url, "region": REGION, **keys, **changes}
    return {"stores": [one]}


async def test_every_key_is_fetched_by_its_name(
    pool: Pool, where: Database, owner: Owner, gate: tuple[Gate, Site]
) -> None:
    """What is written under a key is what comes, whatever signs the key is made of."""
    behind, site = gate
    pictures = {key: draw.png(number, 8, "teal") for number, key in enumerate(KEYS, 1)}
    for key, data in pictures.items():
        assert await put(behind.store, f"/{key}", data) == 200, key
    await fetches.set_fetching(pool, store(site))
    async with fetches.gathering(pool, where, hosts=()):
        ids = [await fetches.told(pool, StoredObject(BUCKET, key), hosts=()) for key in KEYS]
        await fetches.come(owner, *ids)
    for upload, (key, data) in zip(ids, pictures.items(), strict=True):
        came = await owner.fetchval(
            "SELECT data FROM images WHERE sha256 = "
            "(SELECT image_sha256 FROM uploads WHERE id = $1)",
            upload,
        )
        assert came == data, (key, (await fetches.fetch_of(owner, upload))["error"])


async def test_object_of_an_event_is_fetched_as_it_is_now(
    pool: Pool, where: Database, owner: Owner, gate: tuple[Gate, Site]
) -> None:
    """A version that was told of is kept with the fetch, and the newest object is moderated."""
    behind, site = gate
    enable = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert await put(behind.store, "", enable, "?versioning") == 200
    for data in (draw.png(9, 9, "red"), TEAL):
        assert await put(behind.store, "/a.png", data) == 200
    await fetches.set_fetching(pool, store(site))
    async with fetches.gathering(pool, where, hosts=()):
        upload = await fetches.told(pool, StoredObject(BUCKET, "a.png", "version-1"), hosts=())
        (row,) = await fetches.come(owner, upload)
    data = await owner.fetchval("SELECT data FROM images WHERE sha256 = $1", row["image_sha256"])
    assert data == TEAL
    fetch = await fetches.fetch_of(owner, upload)
    assert fetch["source"] == {"bucket": BUCKET, "key": "a.png", "version": "version-1"}


async def test_wrong_keys_end_it_with_a_reason_without_secrets(
    pool: Pool, where: Database, owner: Owner, gate: tuple[Gate, Site]
) -> None:
    """A wrong secret, a wrong id, a token too many or too few, and a missing object."""
    behind, site = gate
    assert await put(behind.store, "/a.png", TEAL) == 200
    async with fetches.gathering(pool, where, hosts=()):
        for changes, token, key, expected in (
            ({"secret_access_key": f"{SECRET}x"}, None, "a.png", "403"),
            ({"access_key_id": "AKIAOTHER"}, None, "a.png", "403"),
            ({"session_token": TOKEN}, None, "a.png", "403"),
            ({}, TOKEN, "a.png", "403"),
            ({}, None, "b.png", "404"),
            ({"session_token": TOKEN}, TOKEN, "a.png", None),
        ):
            behind.token = token
            await fetches.set_fetching(pool, store(site, **changes))
            upload = await fetches.told(pool, StoredObject(BUCKET, key), hosts=())
            (row,) = await fetches.come(owner, upload)
            error = (await fetches.fetch_of(owner, upload))["error"]
            said = f"bucket '{BUCKET}': 127.0.0.1 answered HTTP {expected}" if expected else None
            assert (row["outcome"], error) == ("not_fetched" if expected else None, said), changes


async def test_keys_of_the_environment_are_not_sent(
    pool: Pool,
    where: Database,
    owner: Owner,
    gate: tuple[Gate, Site],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the operator's own shell has for a cloud never reaches a platform's store."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "ENDPOINT", "REGION"):
        monkeypatch.setenv(f"AWS_{name}", "http://of-the-operator")
    behind, site = gate
    assert await put(behind.store, "/a.png", TEAL) == 200
    await fetches.set_fetching(pool, store(site))
    async with fetches.gathering(pool, where, hosts=()):
        (row,) = await fetches.come(
            owner, await fetches.told(pool, StoredObject(BUCKET, "a.png"), hosts=())
        )
    assert row["image_sha256"] is not None
    assert "operator" not in " ".join(site.asked)


async def test_store_that_points_elsewhere_is_not_followed(
    pool: Pool, where: Database, owner: Owner
) -> None:
    """A store is trusted where it is; it opens no other address, public or not."""

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "http://example.org/a.png"})

    async with serving(Site([elsewhere])) as site, fetches.gathering(pool, where):
        await fetches.set_fetching(pool, store(site))
        (row,) = await fetches.come(owner, await fetches.told(pool, StoredObject(BUCKET, "a.png")))
    assert row["outcome"] == "not_fetched"
    assert "example.org is not fetched" in (await fetches.fetch_of(owner, row["id"]))["error"]


def test_bucket_may_stand_before_the_host() -> None:
    """Without path style the address is the store's virtual host, and nothing else is trusted."""
    settings = FetchingSettings.model_validate(
        {
            "stores": [
                {
                    "bucket": "photos",
                    "endpoint": "https://s3.eu-central-1.example.com:8443",
                    "access_key_id": KEY_ID,
                    "secret_access_key": SECRET,
                    "path_style": False,
                }
            ]
        }
    )
    address, policy = Sources((), 1000).located(StoredObject("photos", "a b.png"), settings)
    host = "https://photos.s3.eu-central-1.example.com:8443"
    assert address.startswith(f"{host}/a%20b.png?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert (policy.origin, policy.hosts, policy.trusted_hosts) == (host, (), ())
    assert SECRET not in address


@pytest.mark.parametrize(
    "key", ["", "/a.png", "a/", "a//b", "../a", "a/./b", "a/..", ".", "a\nb", "a\0b", "\ud800"]
)
def test_key_that_would_be_changed_is_refused(key: str) -> None:
    """Another object than the one that was told of is never fetched."""
    settings = FetchingSettings.model_validate(store(Site(url="http://127.0.0.1:1")))
    with pytest.raises(FetchFailed, match="the object's key is not fetched"):
        Sources((), 1000).check(StoredObject(BUCKET, key), settings)


def test_without_the_extra_the_failure_says_what_to_install() -> None:
    """An installation without obstore starts, and names the extra when it is needed."""
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from service.sources import Sources\n"
        "from service.hooks import StoredObject\n"
        "from service.hooks.stores import FetchingSettings\n"
        f"settings = FetchingSettings.model_validate({store(Site(url='http://h/'))!r})\n"
        f"Sources((), 1).located(StoredObject({BUCKET!r}, 'a'), settings)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "pip install 'moderation-service[s3]'" in done.stderr
