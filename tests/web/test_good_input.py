"""Uploads that are taken: every form of body, every type of image, kept as they came."""

import hashlib
import json
from typing import Any

import pytest
from PIL import Image

from service.store import Conn, Pool
from tests import draw
from tests.conftest import Api
from tests.web.sending import FORM, PNG, form, in_json, part, picture, stored

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
SAID = {"external_id": "order 66/ü", "metadata": {"album": ["a", 1, None], "ü": {"deep": True}}}
ROW = """
    SELECT u.*, i.mime, i.data, i.width, i.height
      FROM uploads AS u JOIN images AS i ON i.sha256 = u.image_sha256
     WHERE u.id = $1
"""


def image(kind: str) -> bytes:
    """A picture of this type."""
    return draw.encoded(Image.new("RGB", (24, 16), "teal"), kind)


def body(form_of_body: str, data: bytes) -> tuple[str, bytes]:
    """The same upload in one of the three forms: its Content-Type and bytes."""
    if form_of_body == "json":
        return "application/json", in_json(data, **SAID)
    if form_of_body == "form":
        said = [
            part("external_id", str(SAID["external_id"]).encode()),
            part("metadata", json.dumps(SAID["metadata"]).encode()),
        ]
        return FORM, form(*said, picture(data))
    return "image/png", data


@pytest.mark.parametrize("form_of_body", ["raw", "form", "json"])
async def test_every_form_takes_every_type_of_image(
    api: Api, pool: Pool, form_of_body: str
) -> None:
    """The 202 tells where the upload is, and its row and the exact bytes are committed by then."""
    for kind in KINDS:
        await check_taken(api, pool, form_of_body, kind)


async def check_taken(api: Api, pool: Pool, form_of_body: str, kind: str) -> None:
    """Upload a picture of this type and look at what is stored of it."""
    content_type, sent = body(form_of_body, image(kind))
    query = "?external_id=order%2066/%C3%BC" if form_of_body == "raw" else ""

    status, accepted, headers = await api.platform.ask(
        "POST", f"/v1/uploads{query}", data=sent, headers={"Content-Type": content_type}
    )

    row = await pool.fetchrow(ROW, accepted["id"])
    assert row is not None
    assert (status, dict(headers)["Location"]) == (202, f"/v1/uploads/{accepted['id']}")
    assert (row["mime"], row["data"]) == (f"image/{kind.lower()}", image(kind))
    assert (row["width"], row["height"], row["state"]) == (24, 16, "queued")
    assert row["image_sha256"] == hashlib.sha256(image(kind)).digest()
    assert accepted["external_id"] == SAID["external_id"]
    assert accepted["metadata"] == ({} if form_of_body == "raw" else SAID["metadata"])
    assert accepted["ruleset"] == {"name": "privacy", "version": 1}
    found = await api.platform.ask("GET", dict(headers)["Location"])
    assert found[:2] == (200, accepted)


async def test_the_declared_type_is_not_trusted(api: Api, pool: Pool) -> None:
    """An image is stored as what its bytes are."""
    for declared in ("image/jpeg", "image/x-anything", "IMAGE/PNG; a=b"):
        accepted = await api.platform.upload(PNG, Content_Type=declared)
        row = await pool.fetchrow(ROW, accepted["id"])
        assert row is not None
        assert row["mime"] == "image/png"


async def test_the_file_name_and_the_parts_type_are_not_trusted(api: Api, pool: Pool) -> None:
    """Neither decides what the image is, and the name is kept nowhere."""
    more = b'; filename="../../etc/passwd.svg"\r\nContent-Type: image/svg+xml'
    sent = form(part("image", PNG, more))

    status, accepted, _ = await api.platform.ask(
        "POST", "/v1/uploads", data=sent, headers={"Content-Type": FORM}
    )

    row = await pool.fetchrow(ROW, accepted["id"])
    assert row is not None
    assert (status, row["mime"]) == (202, "image/png")
    assert "passwd" not in str([value for value in row.values() if value != PNG])


async def test_the_same_bytes_twice_are_one_image_and_two_uploads(api: Api, owner: Conn) -> None:
    """Bytes are stored once; without a key each request is an upload of its own."""
    one, two = await api.platform.upload(PNG), await api.platform.upload(PNG)

    assert one["id"] != two["id"]
    assert await stored(owner) == {"images": 1, "uploads": 2, "idempotency_keys": 0}


async def test_the_ruleset_that_was_asked_for_judges(api: Api) -> None:
    """Body or query name it; an empty form field says nothing."""
    for content_type, sent, query in (
        ("image/png", PNG, "?ruleset=marketplace"),
        (FORM, form(picture(), part("ruleset", b"marketplace")), ""),
        (FORM, form(picture(), part("ruleset", b"")), "?ruleset=marketplace"),
        ("application/json", in_json(ruleset="marketplace"), ""),
        ("application/json", in_json(), "?ruleset=marketplace"),
    ):
        status, accepted, _ = await api.platform.ask(
            "POST", f"/v1/uploads{query}", data=sent, headers={"Content-Type": content_type}
        )
        assert (status, accepted["ruleset"]["name"]) == (202, "marketplace")


VALUES: list[Any] = [0, -1, 2**53, 10**300, 0.1, -1.5e-30, "", "\u2028<script>", [], {}]


async def test_metadata_comes_back_as_it_was_given(api: Api) -> None:
    """Whatever is accepted is the same when it is read."""
    for value in VALUES:
        _, accepted, _ = await api.platform.ask(
            "POST",
            "/v1/uploads",
            data=in_json(metadata={"value": value}),
            headers={"Content-Type": "application/json"},
        )
        _, found, _ = await api.platform.ask("GET", f"/v1/uploads/{accepted['id']}")
        assert accepted["metadata"] == found["metadata"] == {"value": value}


async def test_a_body_of_exactly_25_mb_is_taken(api: Api, pool: Pool) -> None:
    """The limit itself is allowed: a picture with 25,000,000 bytes, most behind its end."""
    jpeg = draw.jpeg(16, 16, "teal")

    async def pieces() -> Any:
        yield jpeg
        for _ in range(25):
            yield bytes(999_000)
        yield bytes(25_000_000 - 25 * 999_000 - len(jpeg))

    status, accepted, _ = await api.platform.ask(
        "POST", "/v1/uploads", data=pieces(), headers={"Content-Type": "image/jpeg"}
    )

    assert status == 202, accepted
    assert await pool.fetchval("SELECT max(length(data)) FROM images") == 25_000_000


@pytest.mark.usefixtures("working")
async def test_a_truncated_jpeg_is_taken_and_ends_unreadable(api: Api, pool: Pool) -> None:
    """What only decoding finds out is taken, then fails, is held and called back."""
    whole = draw.encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "JPEG")

    accepted = await api.platform.upload(whole[:600], Content_Type="image/jpeg")
    ended = await api.platform.upload_until(accepted["id"], ("done", "failed"))

    assert (ended["state"], ended["outcome"], ended["verdict"]) == ("failed", "unreadable", "hold")
    assert ended["description"] is None
    assert await pool.fetchval("SELECT type FROM callbacks") == "upload.failed"
