"""Saved views over HTTP: filters with a name, one's own or shared with everybody."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from service import ids
from service.auth import Role
from service.errors import InputRefused
from service.store import Conn, saved_views
from service.store.cases import Order
from service.store.records import Filter
from service.store.saved_views import NewView, View
from service.web import BEARER, POOL, bodies, expected, paging, tag
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api

KEEPERS: tuple[Role, ...] = ("moderator", "admin")
WRITE_REFUSALS = ("json_invalid", *BODY_REFUSALS, "view_exists")


class ViewPath(BaseModel):
    """One view."""

    id: UUID


class ViewQuery(BaseModel):
    """Which page of the views that the caller may see."""

    model_config = ConfigDict(extra="forbid")

    cursor: paging.Cursor | None = None
    limit: int = Field(50, ge=1, le=200, description="most items a page")


class ViewBody(BaseModel):
    """What a view is to be."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[bodies.Word, StringConstraints(max_length=100)]
    filter: Filter = Filter()
    order: Order = "newest"
    shared: bool = Field(False, description="whether everybody sees it")


class Owner(BaseModel):
    """Whose a view is: a token and what it is for."""

    id: UUID
    name: str | None


class ViewView(BaseModel):
    """A view; its filter and order are parameters of the lists of records."""

    id: UUID
    name: str
    filter: dict[str, Any]
    order: str
    owner: Owner
    shared: bool
    created_at: AwareDatetime


class ViewPage(BaseModel):
    """A page of views, the oldest first; ``next`` is the cursor of the page after it."""

    items: list[ViewView]
    next: str | None


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "GET",
        "/v1/views",
        roles=KEEPERS,
        answers={200: ViewPage},
        refusals=("cursor_invalid",),
    )(list_views)
    api.operation(
        "POST",
        "/v1/views",
        roles=KEEPERS,
        answers={201: ViewView},
        sends={201: ("Location", "ETag")},
        request=bodies.json_of(ViewBody),
        refusals=WRITE_REFUSALS,
    )(add_view)
    _add_one(api)


def _add_one(api: Api) -> None:
    tagged = {"If-Match": "the entity tag of the view that may be changed"}
    api.operation(
        "GET",
        "/v1/views/{id}",
        roles=KEEPERS,
        answers={200: ViewView},
        sends={200: ("ETag",)},
    )(read_view)
    api.operation(
        "PUT",
        "/v1/views/{id}",
        roles=KEEPERS,
        answers={200: ViewView},
        sends={200: ("ETag",)},
        request=bodies.json_of(ViewBody),
        headers=tagged,
        refusals=(*WRITE_REFUSALS, "not_owner", "view_changed"),
    )(change_view)
    api.operation(
        "DELETE",
        "/v1/views/{id}",
        roles=KEEPERS,
        answers={204: ""},
        headers=tagged,
        refusals=("not_owner", "view_changed"),
    )(remove_view)


async def list_views(request: web.Request, *, query: ViewQuery) -> web.Response:
    """List the caller's views and the shared ones; an administrator sees all."""
    bearer, after = request[BEARER], paging.read(query.cursor)
    async with request.app[POOL].acquire() as conn:
        found = await saved_views.listed(
            conn,
            bearer.id,
            everything=bearer.role == "admin",
            after=after,
            limit=query.limit + 1,
        )
    items = [_shown(view) for view in found[: query.limit]]
    more = paging.cursor(items[-1].id) if len(found) > query.limit else None
    return web.json_response(text=ViewPage(items=items, next=more).model_dump_json())


async def add_view(request: web.Request) -> web.Response:
    """Keep a filter and an order under a name."""
    new, view = _new(await bodies.read_json(request, ViewBody)), ids.uuid7()
    async with request.app[POOL].acquire() as conn:
        if not await saved_views.add(conn, view, request[BEARER].id, new):
            raise _exists(new)
        kept = await _visible(request, conn, view)
    return _answer(kept, 201, {"Location": f"/v1/views/{view}"})


async def read_view(request: web.Request, *, path: ViewPath) -> web.Response:
    """Tell a view."""
    async with request.app[POOL].acquire() as conn:
        return _answer(await _visible(request, conn, path.id))


async def change_view(request: web.Request, *, path: ViewPath) -> web.Response:
    """Replace a view; its owner or an administrator may."""
    new = _new(await bodies.read_json(request, ViewBody))
    async with request.app[POOL].acquire() as conn:
        try:
            async with conn.transaction():
                await _check_changeable(request, conn, path.id)
                await saved_views.change(conn, path.id, new)
        except asyncpg.UniqueViolationError as error:
            raise _exists(new) from error
        return _answer(await _visible(request, conn, path.id))


async def remove_view(request: web.Request, *, path: ViewPath) -> web.Response:
    """Forget a view; its owner or an administrator may."""
    async with request.app[POOL].acquire() as conn, conn.transaction():
        await _check_changeable(request, conn, path.id)
        await saved_views.remove(conn, path.id)
    return web.Response(status=204)


async def _check_changeable(request: web.Request, conn: Conn, view: UUID) -> None:
    bearer, revision = request[BEARER], await saved_views.lock(conn, view)
    found = await _visible(request, conn, view)
    if bearer.role != "admin" and found.owner != bearer.id:
        raise InputRefused("not_owner", f"the view {found.name!r} is somebody else's")
    allowed = expected(request)
    if allowed is not None and str(revision) not in allowed:
        raise InputRefused("view_changed", f"the view {found.name!r} was changed meanwhile")


async def _visible(request: web.Request, conn: Conn, view: UUID) -> View:
    bearer = request[BEARER]
    found = await saved_views.get(conn, view, bearer.id, everything=bearer.role == "admin")
    if found is None:
        raise InputRefused("not_found", f"there is no view {view}")
    return found


def _new(body: ViewBody) -> NewView:
    wanted = body.filter.model_dump(mode="json", exclude_none=True)
    return NewView(body.name, wanted, body.order, body.shared)


def _exists(new: NewView) -> InputRefused:
    return InputRefused("view_exists", f"its owner has a view named {new.name!r} already")


def _shown(view: View) -> ViewView:
    return ViewView(
        id=view.id,
        name=view.name,
        filter=view.filter,
        order=view.order,
        owner=Owner(id=view.owner, name=view.owner_name),
        shared=view.shared,
        created_at=view.created_at,
    )


def _answer(view: View, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        text=_shown(view).model_dump_json(),
        status=status,
        headers={**tag(view.revision), **(headers or {})},
    )
