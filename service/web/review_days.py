"""What people decided, day by day, over HTTP."""

from datetime import date

from aiohttp import web
from pydantic import BaseModel

from service.store import reviews
from service.web import POOL
from service.web.openapi import Api
from service.web.reviews import READERS, SummaryQuery


class Decided(BaseModel):
    """
    What was decided within a day (UTC) and not undone.

    Bulk decisions are in ``in_bulk`` only, as in the summary, whose numbers are the sums of these.
    """

    day: date
    allow: int
    allow_edited: int
    block: int
    escalate: int
    without_reveal: int
    in_bulk: int


class DecidedDays(BaseModel):
    """The days on which something was decided, the earliest first, on one page."""

    items: list[Decided]
    next: None = None


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation("GET", "/v1/reviews/days", roles=READERS, answers={200: DecidedDays})(count_days)


async def count_days(request: web.Request, *, query: SummaryQuery) -> web.Response:
    """Count by day what people decided, and how much of it without a look at the original."""
    async with request.app[POOL].acquire() as conn:
        rows = await reviews.days(conn, query.begin, query.end)
    found = DecidedDays(items=[Decided(**row) for row in rows])
    return web.json_response(text=found.model_dump_json())
