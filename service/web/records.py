"""The moderators' query over all uploads that have ended."""

from aiohttp import web
from pydantic import Field

from service.store import records
from service.web import POOL, models, paging
from service.web.openapi import Api


class RecordQuery(records.Filter):
    """Filters, and which page."""

    cursor: paging.Cursor | None = None
    limit: int = Field(50, ge=1, le=200, description="most items a page")


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation(
        "GET",
        "/v1/records",
        roles=("moderator",),
        answers={200: models.RecordPage},
        refusals=("cursor_invalid",),
    )(find_records)


async def find_records(request: web.Request, *, query: RecordQuery) -> web.Response:
    """List uploads that are done or failed, the newest first."""
    wanted = records.Filter(**query.model_dump(exclude={"cursor", "limit"}))
    after = paging.read(query.cursor)
    async with request.app[POOL].acquire() as conn:
        # One row more than a page tells whether there is another page.
        rows = await records.find(conn, wanted, after=after, limit=query.limit + 1)
    items = [models.of_row(row) for row in rows[: query.limit]]
    more = paging.cursor(items[-1].id) if len(rows) > query.limit else None
    return web.json_response(text=models.RecordPage(items=items, next=more).model_dump_json())
