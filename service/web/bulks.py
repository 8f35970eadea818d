"""Bulk decisions over HTTP: counted first, made if the count still holds, undone in time."""

from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from service import bulking
from service.errors import InputRefused
from service.store import Conn, bulks
from service.store.pending import Wanted
from service.web import POOL, bodies, person
from service.web import review_models as models
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api
from service.web.records import FILTER_REFUSALS
from service.web.reviews import DECIDERS, READERS, TERMS


class BulkPath(BaseModel):
    """One bulk decision."""

    id: UUID


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "POST",
        "/v1/reviews/bulk",
        roles=DECIDERS,
        answers={200: models.BulkCount, 202: models.BulkView},
        sends={202: ("Location",)},
        request=bodies.json_of(models.BulkOrder),
        refusals=(
            *("json_invalid", *BODY_REFUSALS, *FILTER_REFUSALS),
            *("count_changed", "bulk_too_large"),
        ),
    )(decide_many)
    api.operation("GET", "/v1/reviews/bulk/{id}", roles=READERS, answers={200: models.BulkView})(
        read_bulk
    )
    api.operation(
        "DELETE",
        "/v1/reviews/bulk/{id}",
        roles=DECIDERS,
        answers={200: models.Undone},
        refusals=("undo_window_over", "decided_by_other"),
    )(undo_bulk)


async def decide_many(request: web.Request) -> web.Response:
    """Count what waits and fits; with ``expected``, decide it if it is still as many."""
    body = await bodies.read_json(request, models.BulkOrder)
    wanted = Wanted(body.filter)
    async with request.app[POOL].acquire() as conn:
        if body.expected is None:
            count = models.BulkCount(count=await bulking.count(conn, wanted))
            return web.json_response(text=count.model_dump_json())
        order = bulking.Order(wanted, body.decision, body.reason, body.expected)
        made = await bulking.decide(conn, person(request), order, request.app[TERMS].undo)
        view = await _view(conn, made.id)
    return web.json_response(
        text=view.model_dump_json(),
        status=202,
        headers={"Location": f"/v1/reviews/bulk/{made.id}"},
    )


async def read_bulk(request: web.Request, *, path: BulkPath) -> web.Response:
    """Tell how far a bulk decision is."""
    async with request.app[POOL].acquire() as conn:
        view = await _view(conn, path.id)
    return web.json_response(text=view.model_dump_json())


async def undo_bulk(request: web.Request, *, path: BulkPath) -> web.Response:
    """Take back what has not taken effect, inside the undo window."""
    async with request.app[POOL].acquire() as conn:
        undone = await bulking.undo(conn, person(request), path.id)
    return web.json_response(text=models.Undone(undone=undone).model_dump_json())


async def _view(conn: Conn, bulk: UUID) -> models.BulkView:
    row = await bulks.get(conn, bulk)
    if row is None:
        raise InputRefused("not_found", f"there is no bulk decision {bulk}")
    return models.BulkView.model_validate({**row, "undo_until": row["effective_at"]})
