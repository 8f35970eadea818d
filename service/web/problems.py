"""RFC 9457 problems: one table from our codes to statuses, one middleware that answers them."""

import http
import json
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
from aiohttp import web
from pydantic import BaseModel, Field

from service import log
from service.errors import Conflict, InputRefused, Overloaded, QuotaExceeded
from service.store.database import PASSING, UNREACHABLE

STATUS: Mapping[str, int] = {
    "json_invalid": 400,
    "path_invalid": 400,
    "multipart_malformed": 400,
    "body_incomplete": 400,
    "request_malformed": 400,
    "token_missing": 401,
    "token_invalid": 401,
    "hook_not_authentic": 401,
    "not_owner": 403,
    "role_not_allowed": 403,
    "exposure_budget_spent": 403,
    "reveal_required": 403,
    "scope_not_allowed": 403,
    "second_person_needed": 403,
    "not_found": 404,
    "hook_unknown": 404,
    "method_not_allowed": 405,
    "body_timeout": 408,
    "examples_failed": 409,
    "case_changed": 409,
    "count_changed": 409,
    "decided_by_other": 409,
    "leased_by_other": 409,
    "platform_exists": 409,
    "queue_exists": 409,
    "queue_kept": 409,
    "quote_changed": 409,
    "quote_impossible": 409,
    "idempotency_in_progress": 409,
    "rollback_impossible": 409,
    "ruleset_moved": 409,
    "undo_window_over": 409,
    "view_exists": 409,
    "deleted": 410,
    "endpoint_changed": 412,
    "platform_changed": 412,
    "queue_changed": 412,
    "view_changed": 412,
    "body_too_large": 413,
    "content_type_not_supported": 415,
    "encoding_not_supported": 415,
    "not_an_image": 415,
    "base64_invalid": 422,
    "bulk_too_large": 422,
    "cursor_invalid": 422,
    "decision_unchanged": 422,
    "empty_body": 422,
    "examples_unusable": 422,
    "hook_malformed": 422,
    "idempotency_key_invalid": 422,
    "idempotency_mismatch": 422,
    "image_missing": 422,
    "image_url_not_allowed": 422,
    "metadata_too_large": 422,
    "model_unknown": 422,
    "no_edited_image": 422,
    "no_original": 422,
    "picture_too_large": 422,
    "platform_unknown": 422,
    "query_too_slow": 422,
    "reason_required": 422,
    "ruleset_invalid": 422,
    "ruleset_too_long": 422,
    "ruleset_unknown": 422,
    "too_many_endpoints": 422,
    "too_many_frames": 422,
    "too_many_records": 422,
    "url_not_allowed": 422,
    "validation_failed": 422,
    "quota_exceeded": 429,
    "internal": 500,
    "database_unavailable": 503,
    "overloaded": 503,
}
# What a database says that is away, full, stopping, or no longer lets us in.
UNAVAILABLE = (
    *UNREACHABLE,
    *PASSING,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
# How to authenticate, where it is not with one of our tokens.
_CHALLENGES: Mapping[str, str] = {"hook_not_authentic": 'Bearer, Basic realm="hooks"'}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(BaseModel):
    """What every refusal looks like; ``code`` is stable, ``detail`` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, object]] | None = Field(None, description="each fault, where several")
    current: dict[str, object] | None = Field(
        None, description="what people did about the case, where somebody was faster"
    )


def respond(
    code: str,
    detail: str,
    *,
    errors: list[dict[str, object]] | None = None,
    current: dict[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with a problem; the status follows from the code."""
    status = STATUS[code]
    problem = Problem(
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=errors,
        current=current,
    )
    # A path or a header that is quoted in the detail need not be UTF-8.
    text = json.dumps(problem.model_dump(exclude_none=True), ensure_ascii=False)
    return web.Response(
        body=text.encode(errors="replace"),
        status=status,
        content_type="application/problem+json",
        charset="utf-8",
        headers=headers,
    )


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn everything that is raised into one shape; what we did not foresee is a 500."""
    try:
        return await handler(request)
    except InputRefused as error:
        headers = {}
        if STATUS[error.code] == 401:
            headers["WWW-Authenticate"] = _CHALLENGES.get(error.code, "Bearer")
        if isinstance(error, (QuotaExceeded, Overloaded)):
            headers["Retry-After"] = str(error.retry_after_s)
        current = error.current if isinstance(error, Conflict) else None
        return respond(
            error.code, str(error), errors=error.errors, current=current, headers=headers
        )
    except web.HTTPException as error:
        return _of_aiohttp(request, error)
    except UNAVAILABLE as error:
        log.get().error("database_unavailable", path=place(request), reason=repr(error))
        return respond(
            "database_unavailable",
            "the database cannot be reached; try again with the same Idempotency-Key",
            headers={"Retry-After": "2"},
        )
    except Exception:  # noqa: BLE001  # the one broad net: a fault of ours is logged and answered
        log.get().exception("request_failed", method=request.method, path=place(request))
        return respond("internal", "an unexpected error; it has been logged")


def place(request: web.Request) -> str:
    """Name where a request went, without what follows a hook's preset: it may end in a secret."""
    begin, hooks, rest = request.path.partition("/hooks/")
    return begin + hooks + rest.partition("/")[0]


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    match error.status:
        case 404:
            return respond("not_found", f"nothing is at {place(request)}")
        case 405:
            allowed = error.headers.get("Allow", "")
            return respond(
                "method_not_allowed",
                f"{request.method} is not allowed here; allowed: {allowed}",
                headers={"Allow": allowed},
            )
        case 413:
            return respond("body_too_large", error.text or "the body is too large")
        case status if status >= 400:
            return respond("request_malformed", error.text or error.reason)
        case _:
            raise error
