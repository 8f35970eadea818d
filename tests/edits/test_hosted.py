"""An image that an answer hosts instead of holding: fetched from the upstream's own hosts only."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.edits import AttemptFailed, Edit
from service.edits.client import DIALECTS, EditsClient
from service.fetching import Fetcher
from tests import draw, upstream
from tests.conftest import configured
from tests.edits.site import Names, Site, Wires, breaks, gives, hangs, serving
from tests.upstream import EDITED, Upstream, base64_of, description

EDIT = Edit("Judge the picture by this ruleset.", draw.png(64, 48, "teal"), "image/png")
SAID = json.dumps(description())
SIGNED = "/files/1.png?X-Signature=secret%2Fw"
HOST = "images.example.com"


@pytest.fixture
def paid() -> Upstream:
    """The paid routes."""
    return Upstream()


@pytest.fixture
async def site(paid: Upstream) -> AsyncIterator[Site]:
    """An upstream that hosts what it makes, on the same origin."""
    async with serving(Site([gives(EDITED)]), paid=paid) as served:
        yield served


async def failure(site: Site, **changes: Any) -> AttemptFailed:
    async with EditsClient() as client:
        with pytest.raises(AttemptFailed) as caught:
            await client.edit(EDIT, configured(f"{site.url}/v1", **changes))
    return caught.value


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_image_on_the_own_origin_is_fetched(site: Site, paid: Upstream, dialect: str) -> None:
    """Every dialect's address becomes the image, without the key and without another call."""
    paid.script = [upstream.answered(SAID, site.url + SIGNED)]
    async with EditsClient() as client:
        answer, reply = await client.edit(EDIT, configured(f"{site.url}/v1", dialect=dialect))
    assert (answer.image, answer.text) == (EDITED, SAID)
    assert json.loads(reply.body)
    assert (site.asked, len(paid.calls)) == ([SIGNED], 1)
    assert "secret-key" not in str(site.headers)


@pytest.mark.parametrize(
    ("content", "image"),
    [
        ("![edited]({site}/x)\n{said}", EDITED),
        ('{said} ![edited]({site}/x "the picture")', EDITED),
        ("![a]({site}/draft) ![b]({site}/x)\n{said}", EDITED),
        ("![a]({site}/x) ![b](data:image/png;base64,QUJD)\n{said}", b"ABC"),
    ],
)
async def test_address_in_the_text_counts_if_nothing_better_is_there(
    site: Site, paid: Upstream, content: str, image: bytes
) -> None:
    """A markdown image of a chat answer is fetched, the last one, unless there are bytes."""
    content = content.replace("{site}", site.url).replace("{said}", SAID)
    paid.script = [upstream.document({"choices": [{"message": {"content": content}}]})]
    async with EditsClient() as client:
        answer, _ = await client.edit(EDIT, configured(f"{site.url}/v1", dialect="openai-chat"))
    assert (answer.image, answer.text) == (image, SAID)
    assert site.asked == (["/x"] if image == EDITED else [])


async def test_named_host_is_fetched(site: Site, paid: Upstream) -> None:
    """A host of ``answer_hosts`` serves the image from its public address."""
    paid.script = [upstream.answered(SAID, f"http://{HOST}{SIGNED}")]
    wires = Wires(site.port)
    fetcher = Fetcher(Names({HOST: ["93.184.216.34"]}), wires.open)
    async with EditsClient(fetcher) as client:
        answer, _ = await client.edit(EDIT, configured(f"{site.url}/v1", answer_hosts=(HOST,)))
    assert answer.image == EDITED
    assert wires.connected == [("93.184.216.34", 80)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/x?secret", "https://evil.example/x?secret", "HTTP://[::1]/x?secret"],
)
async def test_image_of_a_stranger_is_no_image(
    site: Site, paid: Upstream, dialect: str, address: str
) -> None:
    """An address elsewhere ends as ``no_image`` with its host; what was said and came is kept."""
    paid.script = [upstream.answered(SAID, address)]
    failed = await failure(site, dialect=dialect)
    assert (failed.outcome, failed.status, failed.text) == ("no_image", 200, SAID)
    assert failed.reply is not None
    assert "secret" not in str(failed)
    assert site.asked == []


@pytest.mark.parametrize(
    ("handler", "asked"), [(gives(b"", 404), 1), (gives(b"", 503), 3), (breaks, 3)]
)
async def test_failed_fetch_pays_for_no_new_picture(
    site: Site, paid: Upstream, handler: Any, asked: int
) -> None:
    """The image is asked for again in its place; the call is paid once, whatever comes of it."""
    paid.script = [upstream.answered(SAID, site.url + SIGNED)]
    site.script = [handler]
    failed = await failure(site)
    assert (failed.outcome, failed.text) == ("no_image", SAID)
    assert "secret" not in str(failed)
    assert (len(site.asked), len(paid.calls)) == (asked, 1)


async def test_fetch_ends_with_the_deadline_of_the_call(site: Site, paid: Upstream) -> None:
    """What the call has taken is gone from the time that the fetch has."""
    until = asyncio.Event()
    paid.script = [upstream.answered(SAID, site.url + SIGNED)]
    site.script = [hangs(until)]
    began = time.monotonic()
    failed = await failure(site, timeout_s=0.5)
    until.set()
    assert failed.outcome == "no_image"
    assert 0.5 <= time.monotonic() - began < 3


async def test_hosted_image_over_the_cap_is_no_image(site: Site, paid: Upstream) -> None:
    """The cap of answers holds for the image too."""
    paid.script = [upstream.answered(SAID, f"{site.url}/x")]
    site.script = [gives(b"x" * 5000)]
    failed = await failure(site, max_answer_bytes=4000)
    assert failed.outcome == "no_image"
    assert "over 4000 bytes" in str(failed)


@pytest.mark.parametrize("hosted", [True, False])
async def test_image_without_text_comes_with_the_failure(
    site: Site,
    paid: Upstream,
    hosted: bool,  # noqa: FBT001
) -> None:
    """A picture whose description is missing is handed on: only the description is asked anew."""
    paid.script = [upstream.answered(None, f"{site.url}/x" if hosted else base64_of(EDITED))]
    failed = await failure(site)
    assert (failed.outcome, failed.image) == ("no_description", EDITED)
    assert failed.reply is not None
