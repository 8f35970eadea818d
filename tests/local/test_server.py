"""The endpoint over real HTTP: its answers and its refusals."""

import base64
import io
import json
from collections.abc import Callable

import aiohttp
import openai
import pytest
from PIL import Image

from tests.local.asking import form, get, post

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOUNDARY = "frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


async def test_one_edit(local_url: str, card: bytes, make_prompt: Callable[..., str]) -> None:
    """The answer has OpenAI's shape, a picture of the same size and the description as text."""
    prompt = make_prompt(("contact", "box", "email, phone"))

    status, answer = await post(local_url, form(card, prompt, model="any", n="1", size="auto"))

    [item] = answer["data"]
    picture = Image.open(io.BytesIO(base64.b64decode(item["b64_json"])))
    findings = json.loads(item["revised_prompt"])["findings"]
    assert status == 200
    assert answer["size"] == f"{picture.width}x{picture.height}"
    assert picture.size == Image.open(io.BytesIO(card)).size
    assert (answer["output_format"], picture.format) == ("png", "PNG")
    assert answer["usage"]["total_tokens"] == 0
    assert [finding["rule"] for finding in findings] == ["contact", "contact"]


async def test_the_official_client_is_understood(local_url: str, poster: bytes) -> None:
    """The openai package's edit call, with a list of images and a mask, is served as it is sent."""
    async with openai.AsyncOpenAI(base_url=f"{local_url}/v1", api_key="any") as client:
        answer = await client.images.edit(
            image=[("poster.png", poster, "image/png")],
            mask=("mask.png", poster, "image/png"),
            prompt="pixelate QR codes",
            model="local-detectors",
            n=1,
            output_format="jpeg",
            quality="high",
        )

    assert answer.data is not None
    assert answer.output_format == "jpeg"
    description = json.loads(answer.data[0].revised_prompt or "")
    assert [finding["rule"] for finding in description["findings"]] == ["qr_code"]


async def test_the_official_client_reads_our_errors(local_url: str) -> None:
    """A refusal becomes the package's own exception with message, code and param."""
    async with openai.AsyncOpenAI(base_url=f"{local_url}/v1", api_key="any") as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.images.edit(image=("a.png", b"no", "image/png"), prompt="x", model="m")

    assert (refused.value.code, refused.value.param) == ("invalid_image", "image")


async def test_models_and_health(local_url: str) -> None:
    """A warm endpoint says so and lists its one model."""
    models = await get(f"{local_url}/v1/models")

    assert await get(f"{local_url}/healthz") == (200, {"status": "ok"})
    assert [model["id"] for model in models[1]["data"]] == ["local-detectors"]


PICTURE = b"\x89PNG not really"


@pytest.mark.parametrize(
    ("data", "status", "code", "param"),
    [
        (form(None), 400, "missing_required_parameter", "image"),
        (form(b""), 400, "missing_required_parameter", "image"),
        (form(PICTURE, None), 400, "missing_required_parameter", "prompt"),
        (form(PICTURE, "  "), 400, "missing_required_parameter", "prompt"),
        (form(PICTURE), 400, "invalid_image", "image"),
        (form(bytes(25 * 1024 * 1024 + 1)), 413, "image_too_large", "image"),
        (form(PICTURE, "x" * (1024 * 1024 + 1)), 400, "string_above_max_length", "prompt"),
        (form(PICTURE, output_format="gif"), 400, "invalid_value", "output_format"),
        (form(PICTURE, "<ruleset a>\nb\n</ruleset>"), 400, "invalid_prompt", "prompt"),
    ],
    ids=["no image", "empty image", "no prompt", "blank prompt", "no picture", "25 MB",
         "long prompt", "gif", "no schema"],
)  # fmt: skip
async def test_refused_forms(
    local_url: str, data: aiohttp.FormData, status: int, code: str, param: str
) -> None:
    """Each fault of a well formed request has its own 4xx, code and param."""
    got, answer = await post(local_url, data)

    error = answer["error"]
    assert (got, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


async def test_forty_megapixels_are_refused_by_the_header(local_url: str) -> None:
    """A small file that claims more pixels is refused without being decoded."""
    target = io.BytesIO()
    Image.new("1", (8000, 5001)).save(target, "PNG")

    status, answer = await post(local_url, form(target.getvalue()))

    assert (status, answer["error"]["code"]) == (400, "image_too_large")


HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'.encode()


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported_content_type"),
        ("multipart/form-data", HEAD, 415, "unsupported_content_type"),
        (FORM, b"", 400, "multipart_malformed"),
        (FORM, b"garbage", 400, "multipart_malformed"),
        (FORM, HEAD + b"cut off", 400, "multipart_malformed"),
        (FORM, HEAD.replace(b"name=", b"x=") + b"--\r\n", 400, "multipart_malformed"),
        (FORM, f"--{BOUNDARY}\nA: b\n\nc".encode(), 400, "multipart_malformed"),
        (FORM, HEAD + b"\xff\r\n" + HEAD[:10] + b"--\r\n", 400, "missing_required_parameter"),
        (FORM, (HEAD + b"x\r\n") * 70 + HEAD[:10] + b"--\r\n", 413, "form_too_large"),
    ],
    ids=["json", "no boundary", "empty", "garbage", "cut", "no name", "bare newlines", "no image",
         "many parts"],
)  # fmt: skip
async def test_malformed_bodies(
    local_url: str, content_type: str, body: bytes, status: int, code: str
) -> None:
    """A body that is no form is the client's error, never a 5xx."""
    got, answer = await post(local_url, body, **{"Content-Type": content_type})

    assert (got, answer["error"]["code"]) == (status, code)


async def test_a_prompt_must_be_utf_8(local_url: str) -> None:
    """Bytes that are no text are named as the prompt's fault."""
    image = HEAD.replace(b'"prompt"', b'"image"') + b"x\r\n"

    status, answer = await post(
        local_url, image + HEAD + b"\xff\r\n" + HEAD[:10] + b"--\r\n", **{"Content-Type": FORM}
    )

    assert (status, answer["error"]["param"]) == (400, "prompt")


async def test_a_broken_content_encoding_is_refused(local_url: str) -> None:
    """A body that says gzip and is not is the client's error."""
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip"}

    status, answer = await post(local_url, b"not gzip", **headers)

    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(("path", "status"), [("/v1/images/edits", 405), ("/v1/nothing", 404)])
async def test_unknown_routes_have_the_same_shape(local_url: str, path: str, status: int) -> None:
    """Even the router's own errors are told in OpenAI's shape."""
    got, answer = await get(f"{local_url}{path}")

    assert got == status
    assert answer["error"]["type"] == "invalid_request_error"
