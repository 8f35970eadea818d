"""Uploads over HTTP: taking one, reading it back, its pictures."""

import re
from typing import Literal
from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import BaseModel

from service import log
from service.errors import InputRefused
from service.intake import Accepted, Intake
from service.store import idempotency, images, uploads
from service.store.database import UNREACHABLE
from service.web import BEARER, POOL, bodies, models
from service.web.openapi import Api
from service.web.waiting import Waiting

INTAKE = web.AppKey("intake", Intake)
WAITING = web.AppKey("waiting", Waiting)
MAX_IMAGE_BYTES = web.AppKey("max_image_bytes", int)
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})\b")
LONGEST_WAIT_S = 60
IMAGE_TYPES = "image/png, image/jpeg or image/webp"


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
        answers={202: models.UploadView, 200: models.UploadView},
        request=bodies.CONTENT,
        headers={
            "Idempotency-Key": "a repeated key gets the first answer",
            "Prefer": "wait=SECONDS (1-60): answer 200 with the finished upload if it ends in time",
        },
        refusals=(
            *("json_invalid", "multipart_malformed", "body_incomplete", "body_timeout"),
            *("body_too_large", "content_type_not_supported", "encoding_not_supported"),
            *("not_an_image", "base64_invalid", "empty_body", "image_missing"),
            *("image_url_not_available", "picture_too_large", "too_many_frames"),
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
        "GET",
        "/v1/uploads/{id}/images/{name}",
        roles=("platform", "moderator"),
        answers={200: "image/*", 304: ""},
        refusals=("reveal_required",),
    )(read_image)


async def receive_upload(request: web.Request, *, query: bodies.Fields) -> web.Response:
    """Take one image: 202 once it is committed."""
    platform = request[BEARER].platform or ""
    key = _key(request)
    received = await bodies.receive(request, query, request.app[MAX_IMAGE_BYTES])
    taken = await request.app[INTAKE].accept(platform, received, key=key, answer=_body)
    if isinstance(taken, idempotency.FirstAnswer):
        return _answer(taken.upload_id, taken.status, taken.body)
    log.get().info(
        "upload_accepted",
        upload_id=str(taken.upload.id),
        platform=platform,
        sha256=taken.upload.image_sha256.hex(),
        image_bytes=len(received.image),
        ruleset=f"{taken.upload.ruleset}/{taken.upload.version}",
    )
    seconds = _wait(request)
    ended = await _ended(request, taken.upload.id, key, seconds) if seconds else None
    if ended is None:
        return _answer(taken.upload.id, 202, _body(taken))
    return _answer(taken.upload.id, 200, ended)


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
    async with request.app[POOL].acquire() as conn:
        row = await uploads.get(conn, path.id, request[BEARER].platform)
    if row is None:
        raise InputRefused("not_found", f"nothing is at {request.path}")
    return web.json_response(text=models.of_row(row).model_dump_json())


async def read_image(request: web.Request, *, path: ImagePath) -> web.Response:
    """Give the bytes of one of an upload's pictures; they never change."""
    async with request.app[POOL].acquire() as conn:
        row = await uploads.get(conn, path.id, request[BEARER].platform)
        column = "canonical" if path.name == "original" else path.name
        sha256: bytes | None = row[f"{column}_sha256"] if row else None
        if sha256 is None:
            raise InputRefused("not_found", f"nothing is at {request.path}")
        # The upstream's own picture may still show what the final one does not.
        if path.name in ("original", "raw") and request[BEARER].role == "moderator":
            raise InputRefused("reveal_required", f"the {path.name} opens only after a reveal")
        headers = {
            "ETag": f'"{sha256.hex()}"',
            "Cache-Control": "private, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        known = request.if_none_match or ()
        if any(tag.value in (sha256.hex(), "*") for tag in known):
            return web.Response(status=304, headers=headers)
        image = await images.get(conn, sha256)
    return web.Response(body=image.data, content_type=image.mime, headers=headers)


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


def _wait(request: web.Request) -> int:
    """Read RFC 7240's wait preference in seconds; 0 where there is none."""
    found = _WAIT.search(",".join(request.headers.getall("Prefer", [])))
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0
