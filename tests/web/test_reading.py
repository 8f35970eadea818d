"""Reading an upload and its pictures back."""

import hashlib
import io
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service.store import Conn
from tests import draw
from tests.conftest import Api
from tests.upstream import Upstream, described, finding
from tests.web import sending
from tests.web.sending import PNG

# The contract's names; more may be added, none may go.
KEYS = {
    *("id", "platform", "external_id", "state", "waiting_for", "reused_from", "outcome"),
    *(
        "verdict",
        "ruleset",
        "description",
        "images",
        "proof",
        "attempts",
        "received_at",
        "finished_at",
    ),
}
PICTURES = ("original", "edited", "thumbnail", "heat")
PNG_TEAL = draw.png(64, 48, "teal")
# Of the finding in it.
REGION = (16, 12, 48, 36)


@pytest.fixture
async def done(api: Api, upstream: Upstream, working: object) -> dict[str, Any]:
    """An upload that was described."""
    assert working
    upstream.script = [described(findings=[finding("bystander-faces")])]
    return await api.platform.upload(PNG_TEAL, Prefer="wait=30")


async def test_an_upload_has_the_contracts_keys_from_the_first_answer_on(
    api: Api, done: dict[str, Any]
) -> None:
    """Queued or done, for the platform or a moderator, the names are the same."""
    queued = await api.platform.upload(PNG)
    _, read, _ = await api.moderator.ask("GET", f"/v1/uploads/{done['id']}")
    _, page, _ = await api.moderator.ask("GET", "/v1/records")

    for upload in (queued, done, read, page["items"][-1]):
        assert set(upload) >= KEYS
        assert set(upload["ruleset"]) >= {"name", "version"}
        assert set(upload["images"]) >= set(PICTURES)
    assert read == done == {name: page["items"][-1][name] for name in done}


async def test_times_are_rfc_3339_in_utc(done: dict[str, Any]) -> None:
    """Every time ends in Z, and they come in order."""
    (attempt,) = done["attempts"]
    times = [done["received_at"], attempt["started_at"], attempt["finished_at"]]

    assert all(moment.endswith("Z") and "T" in moment for moment in (*times, done["finished_at"]))
    assert times == sorted(times)


async def test_a_picture_is_immutable_and_named_by_its_digest(
    api: Api, done: dict[str, Any]
) -> None:
    """A strong ETag of the bytes, cached for ever by its reader alone, never sniffed or run."""
    for name in PICTURES:
        await check_headers(api, done, name)


async def check_headers(api: Api, done: dict[str, Any], name: str) -> None:
    """Get one picture and look at all that its headers say."""
    status, data, headers = await api.platform.ask("GET", done["images"][name])

    assert status == 200
    assert headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    kind = Image.open(io.BytesIO(data)).get_format_mimetype()
    assert headers["Content-Type"] == kind


@pytest.mark.parametrize("name", PICTURES)
async def test_a_known_picture_is_not_sent_again(api: Api, done: dict[str, Any], name: str) -> None:
    """If-None-Match with the tag, among others, weak, or a star: 304 without a body."""
    _, _, first = await api.platform.ask("GET", done["images"][name])
    tag = first["ETag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        status, body, headers = await api.platform.ask(
            "GET", done["images"][name], headers={"If-None-Match": known}
        )
        assert (status, body, headers["ETag"]) == (304, b"", tag)

    status, body, _ = await api.platform.ask(
        "GET", done["images"][name], headers={"If-None-Match": '"other"'}
    )
    assert status == 200
    assert body


async def test_the_edited_picture_is_a_fresh_encode(
    api: Api, upstream: Upstream, working: object
) -> None:
    """What is served was decoded and encoded here, with the upstream's pixels in the region."""
    assert working
    picture = Image.open(io.BytesIO(PNG_TEAL)).convert("RGB")
    picture.paste("black", REGION)
    theirs = draw.encoded(picture, pnginfo=_comment("made by a model"))
    upstream.script = [described(theirs, findings=[finding("bystander-faces")])]
    done = await api.platform.upload(PNG_TEAL, Prefer="wait=30")
    _, data, _ = await api.platform.ask("GET", done["images"]["edited"])

    assert data != theirs
    assert b"made by a model" in theirs
    assert b"made by a model" not in data
    ours = Image.open(io.BytesIO(data)).convert("RGB")
    assert ours.size == picture.size
    left, top, right, bottom = REGION
    inner = ours.crop((left + 8, top + 8, right - 8, bottom - 8))
    assert inner.getcolors() == [(inner.width * inner.height, (0, 0, 0))]


def _comment(text: str) -> PngInfo:
    info = PngInfo()
    info.add_text("Comment", text)
    return info


async def test_a_moderator_gets_the_original_only_after_a_reveal(
    api: Api, done: dict[str, Any]
) -> None:
    """Edited image, thumbnail and map open; the original does not, not even by its tag."""
    _, _, platforms = await api.platform.ask("GET", done["images"]["original"])
    for headers in ({}, {"If-None-Match": platforms["ETag"]}):
        answer = await api.moderator.ask("GET", done["images"]["original"], headers=headers)
        sending.check_problem(answer, 403, "reveal_required")
        assert "ETag" not in answer[2]
    for name in ("edited", "thumbnail", "heat"):
        status, _, _ = await api.moderator.ask("GET", done["images"][name])
        assert status == 200


async def test_the_received_bytes_are_never_served(api: Api, owner: Conn, working: object) -> None:
    """The original is the canonical picture: upright, without the metadata that came with it."""
    assert working
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    exif[0x0112] = 6
    sent = draw.encoded(Image.new("RGB", (30, 20), "teal"), "JPEG", exif=exif)
    ended = await api.platform.upload(sent, Content_Type="image/jpeg", Prefer="wait=30")

    _, original, _ = await api.platform.ask("GET", ended["images"]["original"])

    assert await owner.fetchval("SELECT count(*) FROM images WHERE data = $1", sent) == 1
    assert original != sent
    assert b"a secret place" not in original
    assert Image.open(io.BytesIO(original)).size == (20, 30)


async def test_pictures_that_are_not_there_yet_are_not_found(api: Api) -> None:
    """Before the worker has come by there is nothing to show, and links say null."""
    queued = await api.platform.upload(PNG)
    for name in PICTURES:
        path = f"/v1/uploads/{queued['id']}/images/{name}"
        assert queued["images"][name] is None
        sending.check_problem(await api.platform.ask("GET", path), 404, "not_found", name)
        sending.check_problem(await api.moderator.ask("GET", path), 404, "not_found", name)
