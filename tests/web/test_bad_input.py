"""What is refused at the door: each with its own status and code, and nothing is stored."""

import gzip
import io
import json
import struct
from dataclasses import dataclass, field

import pytest

from service.store import Conn
from tests import draw
from tests.conftest import Api
from tests.pictures.samples import chunk
from tests.web import sending
from tests.web.sending import FORM, NOTHING, PNG, form, in_json, part, picture, stored

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HUGE = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
JSON = "application/json"
IMAGE = "image/png"


@dataclass(frozen=True)
class Case:
    """A request body that must be refused, and how."""

    name: str
    status: int
    code: str
    type: str
    body: bytes
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def case(name: str, expected: str, kind: str, body: bytes, query: str = "", **headers: str) -> Case:
    """One row; ``expected`` is status and code."""
    status, _, code = expected.partition(" ")
    sent = {header.replace("_", "-"): value for header, value in headers.items()}
    return Case(name, int(status), code, kind, body, query, sent)


RAW = [
    case("empty", "422 empty_body", IMAGE, b""),
    case("text as image", "415 not_an_image", IMAGE, b"hello, I am a picture"),
    case("HTML as image", "415 not_an_image", IMAGE, b"<!doctype html><html></html>"),
    case("SVG as image", "415 not_an_image", "image/svg+xml", SVG),
    case("PDF as image", "415 not_an_image", "image/jpeg", b"%PDF-1.7 ..."),
    case("50,000 pixels a side", "422 picture_too_large", IMAGE, HUGE),
    case("101 frames", "422 too_many_frames", "image/gif", draw.animation(101)),
    case("26 MB", "413 body_too_large", IMAGE, PNG + bytes(26_000_000)),
    case("another type", "415 content_type_not_supported", "text/plain", PNG),
    case("no type", "415 content_type_not_supported", "", PNG),
    case("type that is none", "415 content_type_not_supported", "png", PNG),
    case(
        "gzip",
        "415 encoding_not_supported",
        IMAGE,
        gzip.compress(bytes(9_000_000)),
        Content_Encoding="gzip",
    ),
    case("unknown ruleset", "422 ruleset_unknown", IMAGE, PNG, "?ruleset=none-such"),
    case("NUL in a query id", "422 validation_failed", IMAGE, PNG, "?external_id=a%00b"),
    case("NUL in a query ruleset", "422 validation_failed", IMAGE, PNG, "?ruleset=a%00b"),
    case("id too long", "422 validation_failed", IMAGE, PNG, f"?external_id={'x' * 201}"),
    case("empty id", "422 validation_failed", IMAGE, PNG, "?external_id="),
    case("empty key", "422 idempotency_key_invalid", IMAGE, PNG, Idempotency_Key=""),
    case("long key", "422 idempotency_key_invalid", IMAGE, PNG, Idempotency_Key="k" * 256),
    case("key with a tab", "422 idempotency_key_invalid", IMAGE, PNG, Idempotency_Key="a\tb"),
    case("key not ASCII", "422 idempotency_key_invalid", IMAGE, PNG, Idempotency_Key="clé"),
]
FORMS = [
    case("no boundary", "400 multipart_malformed", "multipart/form-data", form(picture())),
    case(
        "boundary not ASCII", "400 multipart_malformed", 'multipart/form-data; boundary="é"', b"a"
    ),
    case("long boundary", "400 multipart_malformed", FORM + "x" * 300, form(picture())),
    case("another boundary", "400 multipart_malformed", FORM + "2", form(picture())),
    case("garbage", "400 multipart_malformed", FORM, b"garbage"),
    case("cut off", "400 multipart_malformed", FORM, form(picture())[:-6]),
    case("cut off in a header", "400 multipart_malformed", FORM, form(picture())[:40]),
    case("bad header", "400 multipart_malformed", FORM, form(part("image", PNG, b"\r\nno colon"))),
    case(
        "bad length",
        "400 multipart_malformed",
        FORM,
        form(part("a", b"", b"\r\nContent-Length: x")),
    ),
    case(
        "no name", "400 multipart_malformed", FORM, form(picture()).replace(b"; name=", b"; nope=")
    ),
    case("header not UTF-8", "400 multipart_malformed", FORM, form(part("a", b"", b"\r\nA: \xff"))),
    case(
        "long header",
        "400 multipart_malformed",
        FORM,
        form(part("a", b"", b"\r\nA: " + b"x" * 9000)),
    ),
    case("21 parts", "400 multipart_malformed", FORM, form(*[part("a", b"")] * 21)),
    case("no parts", "422 image_missing", FORM, form()),
    case("no image", "422 image_missing", FORM, form(part("external_id", b"a"))),
    case("empty image", "422 empty_body", FORM, form(picture(b""))),
    case("text as image in a form", "415 not_an_image", FORM, form(picture(b"hello"))),
    case("two images", "422 validation_failed", FORM, form(picture(), picture())),
    case("unknown field", "422 validation_failed", FORM, form(picture(), part("colour", b"x"))),
    case(
        "repeated field",
        "422 validation_failed",
        FORM,
        form(picture(), *[part("ruleset", b"privacy")] * 2),
    ),
    case(
        "metadata no JSON",
        "422 validation_failed",
        FORM,
        form(picture(), part("metadata", b"{'a': 1}")),
    ),
    case(
        "metadata no object",
        "422 validation_failed",
        FORM,
        form(picture(), part("metadata", b"[1]")),
    ),
    case(
        "metadata NUL",
        "422 validation_failed",
        FORM,
        form(picture(), part("metadata", b'{"a": "\\u0000"}')),
    ),
    case(
        "metadata half a pair",
        "422 validation_failed",
        FORM,
        form(picture(), part("metadata", b'{"a": "\\ud800"}')),
    ),
    case(
        "metadata NaN",
        "422 validation_failed",
        FORM,
        form(picture(), part("metadata", b'{"a": NaN}')),
    ),
    case(
        "metadata not UTF-8",
        "422 validation_failed",
        FORM,
        form(picture(), part("metadata", b'{"a": "\xff"}')),
    ),
    case(
        "metadata 25 MB",
        "413 body_too_large",
        FORM,
        form(part("metadata", b'{"a": [' + b"0," * 12_000_000 + b"0]}"), picture()),
    ),
    case(
        "NUL in a form's id",
        "422 validation_failed",
        FORM,
        form(picture(), part("external_id", b"a\0b")),
    ),
    case(
        "NUL in a form's ruleset",
        "422 validation_failed",
        FORM,
        form(picture(), part("ruleset", b"a\0b")),
    ),
    case(
        "form's id not UTF-8",
        "422 validation_failed",
        FORM,
        form(picture(), part("external_id", b"\xff")),
    ),
    case(
        "form's ruleset unknown",
        "422 ruleset_unknown",
        FORM,
        form(picture(), part("ruleset", b"none-such")),
    ),
]
DOCUMENTS = [
    case("no JSON", "400 json_invalid", JSON, b"{image: 1}"),
    case("JSON not UTF-8", "400 json_invalid", JSON, b'{"image": "\xff"}'),
    case("JSON in UTF-16", "400 json_invalid", JSON, in_json().decode().encode("utf-16")),
    case(
        "deep JSON",
        "400 json_invalid",
        JSON,
        b'{"metadata": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    ),
    case("a name twice", "400 json_invalid", JSON, b'{"image": "", "image": "AAAA"}'),
    case("NaN", "400 json_invalid", JSON, in_json(metadata={"a": float("nan")})),
    case("endless digits", "400 json_invalid", JSON, b'{"metadata": {"a": ' + b"9" * 5000 + b"}}"),
    case(
        "infinite number", "422 validation_failed", JSON, b'{"image": "", "metadata": {"a": 1e400}}'
    ),
    case(
        "deep metadata",
        "422 validation_failed",
        JSON,
        in_json(metadata={"a": json.loads("[" * 40 + "]" * 40)}),
    ),
    case("no object", "422 validation_failed", JSON, b"[]"),
    case("JSON unknown field", "422 validation_failed", JSON, in_json(colour="red")),
    case("number as id", "422 validation_failed", JSON, in_json(external_id=7)),
    case("JSON empty id", "422 validation_failed", JSON, in_json(external_id="")),
    case("JSON NUL in the id", "422 validation_failed", JSON, in_json(external_id="a\0b")),
    case("JSON NUL in the ruleset", "422 validation_failed", JSON, in_json(ruleset="a\0b")),
    case("JSON NUL in metadata", "422 validation_failed", JSON, in_json(metadata={"a": ["b\0"]})),
    case("JSON NUL in a name", "422 validation_failed", JSON, in_json(metadata={"a\0": 1})),
    case("half a pair in the id", "422 validation_failed", JSON, in_json(external_id="\ud800")),
    case(
        "half a pair in metadata", "422 validation_failed", JSON, in_json(metadata={"a": "\udfff"})
    ),
    case("half a pair in a name", "400 json_invalid", JSON, in_json(metadata={"\ud800": 1})),
    case("half a pair in a field", "400 json_invalid", JSON, b'{"\\ud800": 1}'),
    case("large metadata", "422 validation_failed", JSON, in_json(metadata={"a": "x" * 17_000})),
    case("bad base64", "422 base64_invalid", JSON, b'{"image": "AA*A"}'),
    case("cut base64", "422 base64_invalid", JSON, b'{"image": "AAA"}'),
    case("base64 not ASCII", "422 base64_invalid", JSON, '{"image": "é"}'.encode()),
    case("no image in JSON", "422 image_missing", JSON, b"{}"),
    case("empty image in JSON", "422 empty_body", JSON, in_json(b"")),
    case("image twice", "422 image_missing", JSON, in_json(image_url="http://a.test/")),
    case("no address", "422 image_url_not_allowed", JSON, b'{"image_url": "a.png"}'),
    case("inside", "422 image_url_not_allowed", JSON, b'{"image_url": "http://127.0.0.1/"}'),
    case("long address", "422 validation_failed", JSON, b'{"image_url": "' + b"h" * 2001 + b'"}'),
    case("text as image in JSON", "415 not_an_image", JSON, in_json(b"hello")),
    case("26 MB in JSON", "413 body_too_large", JSON, in_json(PNG + bytes(26_000_000))),
    case("JSON's ruleset unknown", "422 ruleset_unknown", JSON, in_json(ruleset="none-such")),
]


@pytest.mark.parametrize("cases", [RAW, FORMS, DOCUMENTS], ids=["raw", "form", "json"])
async def test_bad_input_has_its_own_problem_and_stores_nothing(
    api: Api, owner: Conn, cases: list[Case]
) -> None:
    """Each fault has its status and code in one shape, and leaves no row behind."""
    for bad in cases:
        headers = {"Idempotency-Key": "a key", **bad.headers}
        if bad.type:
            headers["Content-Type"] = bad.type
        answer = await api.platform.ask(
            "POST",
            f"/v1/uploads{bad.query}",
            data=io.BytesIO(bad.body),
            headers=headers,
            skip_auto_headers=("Content-Type",),
        )
        sending.check_problem(answer, bad.status, bad.code, bad.name)
        assert await stored(owner) == NOTHING, bad.name

    # The key was not used up: what is sent right after under the same one is taken.
    await api.platform.upload(PNG, Idempotency_Key="a key")


async def test_a_query_parameter_that_is_unknown_or_repeated_is_named(
    api: Api, owner: Conn
) -> None:
    """The refusal says which parameter it does not take."""
    for query, named in (
        ("?colour=red", "colour"),
        ("?external_id=1&external_id=2", "external_id"),
        ("?ruleset=privacy&Ruleset=privacy", "Ruleset"),
    ):
        answer = await api.platform.ask(
            "POST", f"/v1/uploads{query}", data=PNG, headers={"Content-Type": IMAGE}
        )
        sending.check_problem(answer, 422, "validation_failed", query)
        assert named in answer[1]["detail"]
    assert await stored(owner) == NOTHING


async def test_an_unknown_field_is_named(api: Api) -> None:
    """Both the form and the JSON body say which field they do not take."""
    for kind, body in (
        (FORM, form(picture(), part("colour", b"x"))),
        (JSON, in_json(colour="red")),
    ):
        _, problem, _ = await api.platform.ask(
            "POST", "/v1/uploads", data=body, headers={"Content-Type": kind}
        )
        assert "colour" in problem["detail"]
