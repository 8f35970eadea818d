"""Bodies, as an upload has them or small ones of JSON; read within limits, never trusted."""

import asyncio
import json
import string
from typing import Annotated, Any, NoReturn, TypeVar

import pybase64
from aiohttp import web
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from service import forms
from service.errors import InputRefused
from service.hooks import Link, Source
from service.intake import Received
from service.web import openapi
from service.web.admission import SHARE

MAX_METADATA_BYTES = 16_384
MAX_METADATA_DEPTH = 32
# Room for the fields beside the image: parsing more of them would hold up everybody else.
OVERHEAD_BYTES = 100_000
READ_TIMEOUT_S = 60.0
# With which ``read`` refuses.
BODY_REFUSALS = (
    *("empty_body", "body_incomplete", "body_timeout", "body_too_large"),
    *("content_type_not_supported", "encoding_not_supported"),
)
_BASE64 = (string.ascii_letters + string.digits + "+/=").encode()


def _storable(text: str) -> str:
    """Refuse what Postgres cannot keep as text."""
    if any(ord(character) < 32 for character in text):
        raise ValueError("control characters are not allowed")
    text.encode()  # A lone surrogate raises UnicodeEncodeError, which is a ValueError.
    return text


def _small(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise ValueError(f"metadata is over {MAX_METADATA_BYTES} bytes")
    _refuse_unstorable(metadata, depth=0)
    return metadata


def _refuse_unstorable(value: JsonValue, depth: int) -> None:
    if depth > MAX_METADATA_DEPTH:
        raise ValueError(f"metadata nests deeper than {MAX_METADATA_DEPTH} levels")
    match value:
        case str() if "\0" in value:
            raise ValueError("NUL characters are not allowed")
        case list():
            for item in value:
                _refuse_unstorable(item, depth + 1)
        case dict():
            for name, item in value.items():
                _refuse_unstorable(name, depth)
                _refuse_unstorable(item, depth + 1)


_STORABLE = Field(json_schema_extra={"pattern": r"^[^\x00-\x1f]*$"})
Word = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_storable),
    _STORABLE,
]
Sentence = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    AfterValidator(_storable),
    _STORABLE,
]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
Body = TypeVar("Body", bound=BaseModel)
_METADATA: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(Metadata)


class Fields(BaseModel):
    """What may be said beside the image."""

    model_config = ConfigDict(extra="forbid")

    ruleset: Word | None = Field(None, description="name of the ruleset; the default one if absent")
    external_id: Word | None = Field(None, description="the platform's own id, kept and returned")


class UploadBody(Fields):
    """The JSON form of an upload: exactly one of ``image`` and ``image_url``."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("image", "image_url")
            ]
        }
    )

    image: str | None = Field(None, description="the image's bytes in base64")
    image_url: str | None = Field(
        None, max_length=2000, description="http(s) address that the image is fetched from"
    )
    metadata: Metadata = {}


def json_of(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """Declare a small body of JSON."""
    return {"application/json": {"schema": model, "x-max-bytes": OVERHEAD_BYTES}}


async def receive(request: web.Request, query: Fields, max_image_bytes: int) -> Received:
    """
    Read the upload that a request carries.

    Raises:
        InputRefused: Too large, encoded, of another type, malformed, or with unknown fields.
    """
    kind = request.content_type
    if kind == "application/json":
        text = await read(request, max_image_bytes * 4 // 3 + OVERHEAD_BYTES)
        return await asyncio.to_thread(_from_json, text, query)
    if kind == "multipart/form-data":
        body = await read(request, max_image_bytes + OVERHEAD_BYTES)
        return await asyncio.to_thread(_form, request.headers["Content-Type"], body, query)
    body = await read(request, max_image_bytes)
    if not kind.startswith("image/"):
        raise InputRefused(
            "content_type_not_supported",
            f"{kind} is not supported; send image/*, multipart/form-data or application/json",
        )
    return Received(body, query.ruleset, query.external_id, {})


async def read_json(request: web.Request, model: type[Body]) -> Body:
    """
    Read a small JSON body; one that is empty stands for an empty object.

    Raises:
        InputRefused: Too large, encoded, of another type, malformed, or with unknown fields.
    """
    if not request.can_read_body:
        return _validated(b"{}", model)
    if request.content_type != "application/json":
        raise InputRefused(
            "content_type_not_supported",
            f"{request.content_type} is not supported; send application/json",
        )
    return _validated(await read(request, OVERHEAD_BYTES), model)


async def read(request: web.Request, limit: int) -> bytes:
    """Read the body, refusing before reading whatever its headers already rule out."""
    too_large = InputRefused("body_too_large", f"the body is over {limit} bytes")
    if (request.content_length or 0) > limit:
        raise too_large
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise InputRefused(
            "encoding_not_supported", f"Content-Encoding {encoding} is not supported; send identity"
        )
    share = request[SHARE]
    share.expect(request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_TIMEOUT_S) as deadline:
            with share.arriving(deadline):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise too_large
                    share.hold(len(body))
    except TimeoutError as error:
        share.check_kept()
        raise InputRefused(
            "body_timeout", f"the body did not arrive within {READ_TIMEOUT_S:.0f} s"
        ) from error
    except (web.RequestPayloadError, ConnectionResetError) as error:
        # A connection that breaks here is the sender's, not the database's.
        raise InputRefused("body_incomplete", f"the body broke off: {error}") from error
    if not body:
        raise InputRefused("empty_body", "the request has no body")
    return bytes(body)


def _check_overhead(size: int) -> None:
    if size > OVERHEAD_BYTES:
        raise InputRefused(
            "body_too_large", f"what stands beside the image is over {OVERHEAD_BYTES} bytes"
        )


def _loaded(text: bytes) -> object:
    """Parse JSON, refusing with ValueError what two readers could take differently."""
    try:
        return json.loads(text.decode(), object_pairs_hook=_distinct, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name is given twice in one object")
    for name in members:
        name.encode()  # As above, a lone surrogate raises.
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _validated(text: bytes, model: type[Body]) -> Body:
    try:
        _loaded(text)
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise openapi.refused(error) from error
    except ValueError as error:
        raise InputRefused("json_invalid", f"the body is not JSON: {error}") from error


def _from_json(text: bytes, query: Fields) -> Received:
    # The image is base64, so the bytes outside that alphabet bound all that is not the image.
    _check_overhead(len(text.translate(None, _BASE64)))
    body = _validated(text, UploadBody)
    return Received(
        _source(body),
        body.ruleset or query.ruleset,
        body.external_id or query.external_id,
        dict(body.metadata),
    )


def _source(body: UploadBody) -> Source:
    if body.image_url is not None and body.image is None:
        return Link(body.image_url)
    if body.image is None or body.image_url is not None:
        raise InputRefused("image_missing", "give exactly one of the fields image and image_url")
    try:
        return pybase64.b64decode(body.image, validate=True)
    except ValueError as error:
        raise InputRefused("base64_invalid", f"image is not base64: {error}") from error


def _form(content_type: str, body: bytes, query: Fields) -> Received:
    parts = forms.read(content_type, body)
    names = [part.name for part in parts]
    allowed = {"image", "metadata", *Fields.model_fields}
    wrong = sorted({name for name in names if name not in allowed or names.count(name) > 1})
    if wrong:
        raise InputRefused(
            "validation_failed",
            f"unknown or repeated: {', '.join(wrong)}; allowed once: {', '.join(sorted(allowed))}",
        )
    fields = {part.name: part.data for part in parts}
    _check_overhead(sum(len(data) for name, data in fields.items() if name != "image"))
    if "image" not in fields:
        raise InputRefused("image_missing", "the form has no part named image")
    try:
        said = Fields.model_validate(
            {
                name: data.decode()
                for name, data in fields.items()
                if name in Fields.model_fields and data
            }
        )
        metadata = _form_metadata(fields.get("metadata") or b"{}")
    except ValidationError as error:
        raise openapi.refused(error) from error
    except UnicodeDecodeError as error:
        raise InputRefused("validation_failed", "the form's fields must be UTF-8") from error
    return Received(
        fields["image"],
        said.ruleset or query.ruleset,
        said.external_id or query.external_id,
        dict(metadata),
    )


def _form_metadata(text: bytes) -> dict[str, JsonValue]:
    try:
        return _METADATA.validate_python(_loaded(text), strict=True)
    except ValidationError:
        raise
    except ValueError as error:
        raise InputRefused("validation_failed", f"metadata is not JSON: {error}") from error
