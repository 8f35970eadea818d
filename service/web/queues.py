"""Queues over HTTP: their settings, how many cases wait in them, and which."""

from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service import queueing
from service.auth import Role
from service.store import Conn, cases, leases, pending, queues, reviews
from service.store.pending import Wanted
from service.store.queues import Queue
from service.web import POOL, actor, bodies, expected, paging, queue_models, tag
from service.web import review_models as models
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api
from service.web.records import FILTER_REFUSALS

READERS: tuple[Role, ...] = ("moderator", "policy", "admin")
MAKERS: tuple[Role, ...] = ("policy", "admin")
WRITE_REFUSALS = ("json_invalid", *BODY_REFUSALS, *FILTER_REFUSALS)


class QueuePath(BaseModel):
    """One queue."""

    name: queue_models.QueueName


class CasesQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    cursor: paging.Cursor | None = None
    limit: int = Field(50, ge=1, le=200, description="most items a page")


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "GET",
        "/v1/queues",
        roles=READERS,
        answers={200: queue_models.QueueList},
        refusals=FILTER_REFUSALS,
    )(list_queues)
    api.operation(
        "POST",
        "/v1/queues",
        roles=MAKERS,
        answers={201: queue_models.QueueView},
        sends={201: ("Location", "ETag")},
        request=bodies.json_of(queue_models.NewQueue),
        refusals=(*WRITE_REFUSALS, "queue_exists"),
    )(add_queue)
    _add_one(api)


def _add_one(api: Api) -> None:
    tagged = {"If-Match": "the entity tag of the settings that may be changed"}
    api.operation(
        "GET",
        "/v1/queues/{name}",
        roles=READERS,
        answers={200: queue_models.QueueView},
        sends={200: ("ETag",)},
        refusals=FILTER_REFUSALS,
    )(read_queue)
    api.operation(
        "PATCH",
        "/v1/queues/{name}",
        roles=MAKERS,
        answers={200: queue_models.QueueView},
        sends={200: ("ETag",)},
        request=bodies.json_of(queue_models.QueueSettings),
        headers=tagged,
        refusals=(*WRITE_REFUSALS, "queue_changed"),
    )(change_queue)
    api.operation(
        "DELETE",
        "/v1/queues/{name}",
        roles=MAKERS,
        answers={204: ""},
        headers=tagged,
        refusals=("queue_changed", "queue_kept"),
    )(remove_queue)
    api.operation(
        "GET",
        "/v1/queues/{name}/cases",
        roles=READERS,
        answers={200: models.CasePage},
        refusals=("cursor_invalid", *FILTER_REFUSALS),
    )(list_cases)


async def list_queues(request: web.Request) -> web.Response:
    """List queues, with how many cases wait in each."""
    async with request.app[POOL].acquire() as conn:
        items = [await view(conn, one) for one in await queues.listed(conn)]
    return web.json_response(text=queue_models.QueueList(items=items).model_dump_json())


async def add_queue(request: web.Request) -> web.Response:
    """Add a queue."""
    body = await bodies.read_json(request, queue_models.NewQueue)
    async with request.app[POOL].acquire() as conn:
        await _try(conn, body)
        made = await queueing.create(conn, body.name, _settings(body), actor(request))
        return await _answer(conn, made, 201, {"Location": f"/v1/queues/{made.name}"})


async def read_queue(request: web.Request, *, path: QueuePath) -> web.Response:
    """Tell a queue's settings and how many cases wait; the entity tag is that of the settings."""
    async with request.app[POOL].acquire() as conn:
        return await _answer(conn, await queueing.find(conn, path.name))


async def change_queue(request: web.Request, *, path: QueuePath) -> web.Response:
    """Change those settings that the body names."""
    body = await bodies.read_json(request, queue_models.QueueSettings)
    async with request.app[POOL].acquire() as conn:
        await _try(conn, body)
        changed = await queueing.change(
            conn, path.name, _settings(body), actor(request), expected(request)
        )
        return await _answer(conn, changed)


async def remove_queue(request: web.Request, *, path: QueuePath) -> web.Response:
    """Remove a queue; its cases are in others still."""
    async with request.app[POOL].acquire() as conn:
        await queueing.remove(conn, path.name, actor(request), expected(request))
    return web.Response(status=204)


async def list_cases(request: web.Request, *, path: QueuePath, query: CasesQuery) -> web.Response:
    """List what waits in a queue, in its order, leased or not."""
    after = paging.read(query.cursor)
    async with request.app[POOL].acquire() as conn:
        wanted = queueing.wanted(await queueing.find(conn, path.name))
        async with cases.bounded(conn):
            found = await pending.page(conn, wanted, after, query.limit + 1)
        items = await leased(conn, found[: query.limit])
    more = paging.cursor(items[-1].case.id) if len(found) > query.limit else None
    return web.json_response(text=models.CasePage(items=items, next=more).model_dump_json())


async def leased(conn: Conn, uploads: list[UUID]) -> list[models.LeasedCase]:
    """Show these cases, in this order, with who works on them."""
    rows, held = await reviews.cases(conn, uploads), await leases.of(conn, uploads)
    return [
        models.LeasedCase(case=models.of_case(rows[one]), lease=models.of_lease(held.get(one)))
        for one in uploads
        if one in rows
    ]


async def view(conn: Conn, queue: Queue) -> queue_models.QueueView:
    """Show a queue, with how many cases wait."""
    number, oldest_s = await _standing(conn, queueing.wanted(queue))
    shown = {name: getattr(queue, name, None) for name in queue_models.QueueView.model_fields}
    return queue_models.QueueView.model_validate(
        {
            **shown,
            "order": queue.sort_order,
            "pending": min(number, pending.MOST_COUNTED),
            "more": number > pending.MOST_COUNTED,
            "oldest_s": oldest_s,
        }
    )


async def _try(conn: Conn, body: queue_models.QueueSettings) -> None:
    """Ask a filter before it is kept: one that cannot be asked would refuse the list of queues."""
    if "filter" in body.model_fields_set:
        await _standing(conn, Wanted(body.filter, body.order, body.max_severity))


async def _standing(conn: Conn, wanted: Wanted) -> tuple[int, float | None]:
    async with cases.bounded(conn):
        return await pending.count(conn, wanted), await pending.oldest_s(conn, wanted)


def _settings(body: queue_models.QueueSettings) -> dict[str, Any]:
    """Give what a body names, as the columns have it."""
    given = body.model_dump(mode="json", exclude={"name"}, exclude_unset=True)
    if "order" in given:
        given["sort_order"] = given.pop("order")
    if isinstance(body, queue_models.NewQueue):
        return {"title": body.name} | given
    return given


async def _answer(
    conn: Conn, queue: Queue, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response(
        text=(await view(conn, queue)).model_dump_json(),
        status=status,
        headers={**tag(queue.revision), **(headers or {})},
    )
