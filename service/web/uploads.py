"""Uploads over HTTP: taking one, reading it back, its pictures."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import BaseModel, Field, RootModel

from service import erasing, log, revealing
from service.errors import InputRefused
from service.intake import Accepted, Intake
from service.pictures.headers import Limits
from service.store import idempotency, images, uploads
from service.store.database import UNREACHABLE
from service.web import BEARER, POOL, actor, bodies, gating, models, person
from service.web.admission import SHARE
from service.web.gating import GateView
from service.web.openapi import Api
from service.web.waiting import PREFER_WAIT, WAITING, preferred_wait

INTAKE = web.AppKey("intake", Intake)
MAX_IMAGE_BYTES = web.AppKey("max_image_bytes", int)
IMAGE_TYPES = "image/png, image/jpeg or image/webp"

# Of images; the composition root may set another limit.
_USUAL_BYTES = Limits().max_bytes
_CONTENT: Mapping[str, Mapping[str, Any]] = {
    "image/*": {"schema": {"type": "string", "format": "binary"}, "x-max-bytes": _USUAL_BYTES},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["image"],
            "additionalProperties": False,
            "properties": {
                "image": {"type": "string", "format": "binary"},
                "ruleset": {"type": "string", "maxLength": 200},
                "external_id": {"type": "string", "maxLength": 200},
                "metadata": {"type": "string", "description": "a JSON object"},
            },
        },
        "x-max-bytes": _USUAL_BYTES + bodies.OVERHEAD_BYTES,
    },
    "application/json": {
        "schema": bodies.UploadBody,
        "x-max-bytes": _USUAL_BYTES * 4 // 3 + bodies.OVERHEAD_BYTES,
    },
}
_PICTURE_HEADERS = (
    *("ETag", "Cache-Control", "X-Content-Type-Options", "Content-Security-Policy"),
)


class UploadQuery(bodies.Fields):
    """What may be said in the address."""

    answer: Literal["gate"] | None = Field(
        None, description="answer with the gate, which holds while the upload is unfinished"
    )


class UploadAnswer(RootModel[models.UploadView | GateView]):
    """The upload, or with ``answer=gate`` its gate."""


class UploadPath(BaseModel):
    """One upload."""

    id: UUID


class ImagePath(UploadPath):
    """One of an upload's pictures."""

    name: Literal["original", "edited", "thumbnail", "raw", "heat"]


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "POST",
        "/v1/uploads",
        roles=("platform",),
        answers={202: UploadAnswer, 200: UploadAnswer},
        request=_CONTENT,
        sends={202: ("Location",), 200: ("Location",)},
        headers={
            "Idempotency-Key": "a repeated key gets the first answer",
            **PREFER_WAIT,
        },
        refusals=(
            *("json_invalid", "multipart_malformed", "body_incomplete", "body_timeout"),
            *("body_too_large", "content_type_not_supported", "encoding_not_supported"),
            *("not_an_image", "base64_invalid", "empty_body", "image_missing"),
            *("image_url_not_allowed", "picture_too_large", "too_many_frames"),
            *("metadata_too_large", "ruleset_unknown", "idempotency_in_progress"),
            *("idempotency_mismatch", "idempotency_key_invalid"),
        ),
    )(receive_upload)
    api.operation(
        "GET",
        "/v1/uploads/{id}",
        roles=("platform", "moderator"),
        answers={200: models.UploadView},
    )(read_upload)
    api.operation(
        "DELETE",
        "/v1/uploads/{id}",
        roles=("platform", "admin"),
        answers={204: ""},
    )(delete_upload)
    api.operation(
        "GET",
        "/v1/uploads/{id}/images/{name}",
        roles=("platform", "moderator"),
        answers={200: "image/*", 304: ""},
        headers={"If-None-Match": "entity tags of what is kept: 304 if it is one of them"},
        sends={200: _PICTURE_HEADERS, 304: _PICTURE_HEADERS},
        refusals=("deleted", "reveal_required", "exposure_budget_spent"),
    )(read_image)


async def receive_upload(request: web.Request, *, query: UploadQuery) -> web.Response:
    """Take one image: 202 once it is committed."""
    platform = request[BEARER].platform or ""
    key = _key(request)
    received = await bodies.receive(request, query, request.app[MAX_IMAGE_BYTES])
    taken = await request.app[INTAKE].accept(platform, received, key=key, answer=_body)
    image_bytes = len(received.image) if isinstance(received.image, bytes) else None
    # Who waits for the end must not hold the image meanwhile.
    del received
    request[SHARE].leave()
    seconds = preferred_wait(request)
    if isinstance(taken, Accepted):
        note_accepted(taken, image_bytes)
    if query.answer == "gate":
        upload = taken.upload.id if isinstance(taken, Accepted) else taken.upload_id
        # A repeated request gets the gate of now: the first answer may have been an early hold.
        return gating.respond(await gating.after(request, platform, upload, seconds))
    if isinstance(taken, idempotency.FirstAnswer):
        if not taken.body:  # Deleted since, and the answer with it: what is left is told.
            return _answer(taken.upload_id, 200, await _shown(request, taken.upload_id))
        return _answer(taken.upload_id, taken.status, taken.body)
    ended = await _ended(request, taken.upload.id, key, seconds) if seconds else None
    if ended is None:
        return _answer(taken.upload.id, 202, _body(taken))
    return _answer(taken.upload.id, 200, ended)


def note_accepted(accepted: Accepted, image_bytes: int | None, **more: object) -> None:
    """Log an upload that is committed; of an image that is to be fetched nothing is known yet."""
    upload = accepted.upload
    log.get().info(
        "upload_accepted",
        upload_id=str(upload.id),
        platform=upload.platform,
        sha256=upload.image_sha256.hex() if upload.image_sha256 is not None else None,
        image_bytes=image_bytes,
        ruleset=f"{upload.ruleset}/{upload.version}",
        **more,
    )


async def _ended(request: web.Request, upload: UUID, key: str | None, seconds: int) -> str | None:
    """Wait for the upload to end and show it; None where that did not work out in time."""
    platform = request[BEARER].platform or ""
    try:
        if not await request.app[WAITING].wait(upload, seconds):
            return None
        async with request.app[POOL].acquire() as conn:
            row = await uploads.get(conn, upload, platform)
            if row is None:
                return None
            body = models.of_row(row).model_dump_json()
            if key is not None:
                await idempotency.replace(conn, platform, key, 200, body)
            return body
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        # The upload is committed, so the answer must not be an error.
        log.get().warning("wait_failed", upload_id=str(upload), reason=str(error))
        return None


async def read_upload(request: web.Request, *, path: UploadPath) -> web.Response:
    """Tell all about one upload."""
    return web.json_response(text=await _shown(request, path.id))


async def delete_upload(request: web.Request, *, path: UploadPath) -> web.Response:
    """Delete an upload's pictures and description; what it came to and cost stays known."""
    async with request.app[POOL].acquire() as conn:
        await erasing.erase(conn, path.id, request[BEARER].platform, actor(request))
    return web.Response(status=204)


async def read_image(request: web.Request, *, path: ImagePath) -> web.Response:
    """Give the bytes of one of an upload's pictures; they never change."""
    async with request.app[POOL].acquire() as conn:
        row = await uploads.get(conn, path.id, request[BEARER].platform)
        if row is not None and row["state"] == "deleted":
            raise _deleted(path.id)
        column = "canonical" if path.name == "original" else path.name
        sha256: bytes | None = row[f"{column}_sha256"] if row else None
        if sha256 is None:
            raise InputRefused("not_found", f"nothing is at {request.path}")
        # The upstream's own picture may still show what the final one does not.
        guarded = path.name in ("original", "raw") and request[BEARER].role == "moderator"
        if guarded:
            await revealing.check_open(conn, person(request), path.id)
        headers = {
            "ETag": f'"{sha256.hex()}"',
            # Each look at an original is a request, so that it is counted.
            "Cache-Control": "no-store" if guarded else "private, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        known = request.if_none_match or ()
        if any(tag.value in (sha256.hex(), "*") for tag in known):
            return web.Response(status=304, headers=headers)
        if guarded:
            await revealing.expose(conn, person(request), path.id, sha256)
        try:
            image = await images.get(conn, sha256)
        except LookupError as error:  # Deleted since its row was read.
            raise _deleted(path.id) from error
    return web.Response(body=image.data, content_type=image.mime, headers=headers)


async def _shown(request: web.Request, upload: UUID) -> str:
    async with request.app[POOL].acquire() as conn:
        row = await uploads.get(conn, upload, request[BEARER].platform)
    if row is None:
        raise InputRefused("not_found", f"nothing is at {request.path}")
    return models.of_row(row).model_dump_json()


def _deleted(upload: UUID) -> InputRefused:
    return InputRefused("deleted", f"upload {upload} was deleted, and its pictures with it")


def _body(accepted: Accepted) -> str:
    return models.of_accepted(accepted).model_dump_json()


def _answer(upload: UUID, status: int, body: str) -> web.Response:
    return web.json_response(
        text=body, status=status, headers={"Location": f"/v1/uploads/{upload}"}
    )


def _key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InputRefused(
            "idempotency_key_invalid", "Idempotency-Key must be 1 to 255 printable ASCII characters"
        )
    return key
