"""Callbacks over HTTP: where they go, what came of each try, and sending them once more."""

from dataclasses import asdict
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service import subscribing
from service.auth import Role
from service.errors import InputRefused
from service.store import Row, callbacks, endpoints
from service.subscribing import Change, Subscribed
from service.web import BEARER, POOL, actor, bodies, expected, paging, tag
from service.web.callback_models import (
    CallbackPage,
    CallbackView,
    EndpointChange,
    EndpointPage,
    EndpointView,
    NewEndpoint,
    Queued,
    Redelivery,
    State,
)
from service.web.openapi import Api

TRUSTED_HOSTS = web.AppKey("callback_hosts", tuple[str, ...])
ROLES: tuple[Role, ...] = ("platform", "admin")
ENDPOINTS = "/v1/callbacks/endpoints"
IF_MATCH = {"If-Match": "the entity tag of the endpoint as it may be changed"}
# For answers that tell a secret.
_SECRET = {"Cache-Control": "no-store"}
BODY_REFUSALS = (
    *("json_invalid", "empty_body", "body_incomplete", "body_timeout", "body_too_large"),
    *("content_type_not_supported", "encoding_not_supported"),
)


class EndpointPath(BaseModel):
    """One endpoint."""

    id: UUID


class CallbackPath(BaseModel):
    """One callback, by its webhook-id."""

    id: UUID


class Page(BaseModel):
    """Which page, and of which platform (an administrator's choice)."""

    model_config = ConfigDict(extra="forbid")

    platform: bodies.Word | None = None
    cursor: paging.Cursor | None = None
    limit: int = Field(50, ge=1, le=200, description="most items a page")


class LogQuery(Page):
    """Which callbacks."""

    upload: UUID | None = None
    state: State | None = Field(None, description="that of one of its deliveries")


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "GET",
        ENDPOINTS,
        roles=ROLES,
        answers={200: EndpointPage},
        refusals=("cursor_invalid", "not_found"),
    )(list_endpoints)
    api.operation(
        "POST",
        ENDPOINTS,
        roles=ROLES,
        answers={201: EndpointView},
        request=bodies.json_of(NewEndpoint),
        sends={201: ("Location", "ETag", "Cache-Control")},
        refusals=(
            *BODY_REFUSALS,
            "url_not_allowed",
            "platform_unknown",
            "too_many_endpoints",
            "not_found",
        ),
    )(add_endpoint)
    _add_one(api)
    _add_log(api)


def _add_one(api: Api) -> None:
    one = f"{ENDPOINTS}/{{id}}"
    api.operation("GET", one, roles=ROLES, answers={200: EndpointView}, sends={200: ("ETag",)})(
        read_endpoint
    )
    api.operation(
        "PATCH",
        one,
        roles=ROLES,
        answers={200: EndpointView},
        request=bodies.json_of(EndpointChange),
        needs_body=False,
        sends={200: ("ETag", "Cache-Control")},
        headers=IF_MATCH,
        refusals=(*BODY_REFUSALS, "url_not_allowed", "endpoint_changed"),
    )(change_endpoint)
    api.operation(
        "DELETE",
        one,
        roles=ROLES,
        answers={204: ""},
        headers=IF_MATCH,
        refusals=("endpoint_changed",),
    )(remove_endpoint)


def _add_log(api: Api) -> None:
    api.operation(
        "GET",
        "/v1/callbacks",
        roles=ROLES,
        answers={200: CallbackPage},
        refusals=("cursor_invalid", "not_found"),
    )(list_callbacks)
    api.operation(
        "POST",
        "/v1/callbacks/redeliver",
        roles=ROLES,
        answers={202: Queued},
        request=bodies.json_of(Redelivery),
        refusals=(*BODY_REFUSALS, "not_found"),
    )(redeliver_range)
    api.operation("POST", "/v1/callbacks/{id}/redeliver", roles=ROLES, answers={202: Queued})(
        redeliver_callback
    )


async def list_endpoints(request: web.Request, *, query: Page) -> web.Response:
    """List where callbacks go, without the secrets."""
    after = paging.read(query.cursor)
    async with request.app[POOL].acquire() as conn:
        rows = await endpoints.listed(conn, _scope(request, query.platform), after, query.limit + 1)
    items = [_shown(Subscribed(row, None)) for row in rows[: query.limit]]
    more = paging.cursor(items[-1].id) if len(rows) > query.limit else None
    return web.json_response(text=EndpointPage(items=items, next=more).model_dump_json())


async def add_endpoint(request: web.Request) -> web.Response:
    """Add where callbacks go; the answer tells the secret, once."""
    body = await bodies.read_json(request, NewEndpoint)
    platform = _scope(request, body.platform)
    if platform is None:
        raise InputRefused("validation_failed", "platform: an administrator has to name one")
    async with request.app[POOL].acquire() as conn:
        added = await subscribing.add(
            conn, actor(request), platform, body.url, body.events, request.app[TRUSTED_HOSTS]
        )
    return _answer(added, 201, {"Location": f"{ENDPOINTS}/{added.endpoint.id}", **_SECRET})


async def read_endpoint(request: web.Request, *, path: EndpointPath) -> web.Response:
    """Tell about one endpoint, without its secret."""
    async with request.app[POOL].acquire() as conn:
        found = await subscribing.find(conn, path.id, request[BEARER].platform)
    return _answer(Subscribed(found, None))


async def change_endpoint(request: web.Request, *, path: EndpointPath) -> web.Response:
    """Change, disable or enable an endpoint, or make it a new secret."""
    body = await bodies.read_json(request, EndpointChange)
    wanted = Change(body.url, body.events, body.disabled, body.rotate_secret)
    async with request.app[POOL].acquire() as conn:
        changed = await subscribing.change(
            conn,
            actor(request),
            path.id,
            request[BEARER].platform,
            wanted,
            request.app[TRUSTED_HOSTS],
            expected(request),
        )
    return _answer(changed, headers=_SECRET)


async def remove_endpoint(request: web.Request, *, path: EndpointPath) -> web.Response:
    """Remove an endpoint; what it was still to be told is dropped, the log stays."""
    async with request.app[POOL].acquire() as conn:
        await subscribing.remove(
            conn, actor(request), path.id, request[BEARER].platform, expected(request)
        )
    return web.Response(status=204)


async def list_callbacks(request: web.Request, *, query: LogQuery) -> web.Response:
    """List callbacks with every try, the newest first."""
    async with request.app[POOL].acquire() as conn:
        rows = await callbacks.log(
            conn,
            _scope(request, query.platform),
            upload=query.upload,
            state=query.state,
            after=paging.read(query.cursor),
            limit=query.limit + 1,
        )
    items = [_logged(row) for row in rows[: query.limit]]
    more = paging.cursor(items[-1].id) if len(rows) > query.limit else None
    return web.json_response(text=CallbackPage(items=items, next=more).model_dump_json())


async def redeliver_callback(request: web.Request, *, path: CallbackPath) -> web.Response:
    """Send a callback once more to every endpoint of its platform."""
    platform = request[BEARER].platform
    async with request.app[POOL].acquire() as conn:
        if not await callbacks.exists(conn, path.id, platform):
            raise InputRefused("not_found", f"there is no callback {path.id}")
        queued = await callbacks.redeliver(conn, platform, callback=path.id)
    return web.json_response(text=Queued(queued=queued).model_dump_json(), status=202)


async def redeliver_range(request: web.Request) -> web.Response:
    """Send the callbacks of a time once more, such as all that failed while a receiver was down."""
    body = await bodies.read_json(request, Redelivery)
    async with request.app[POOL].acquire() as conn:
        queued = await callbacks.redeliver(
            conn,
            _scope(request, body.platform),
            begin=body.begin,
            end=body.end,
            endpoint=body.endpoint,
            state=body.state,
        )
    return web.json_response(text=Queued(queued=queued).model_dump_json(), status=202)


def _scope(request: web.Request, asked: str | None) -> str | None:
    """Tell whose are meant: the bearer's own, an administrator's choice, or all (None)."""
    own = request[BEARER].platform
    if own is not None and asked not in (None, own):
        raise InputRefused("not_found", f"there is no platform {asked!r}")
    return own or asked


def _shown(subscribed: Subscribed) -> EndpointView:
    return EndpointView(**asdict(subscribed.endpoint), secret=subscribed.secret)


def _answer(
    subscribed: Subscribed, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response(
        text=_shown(subscribed).model_dump_json(),
        status=status,
        headers={**tag(subscribing.revision(subscribed.endpoint)), **(headers or {})},
    )


def _logged(row: Row) -> CallbackView:
    return CallbackView.model_validate(dict(row))
