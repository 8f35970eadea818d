"""What the calls cost, over HTTP."""

import re
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service import costing
from service.store import costs
from service.store.records import Moment
from service.web import POOL
from service.web.openapi import Api


def _midnight(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return f"{value}T00:00:00Z"
    return value


DayOrMoment = Annotated[Moment, BeforeValidator(_midnight)]


class CostQuery(BaseModel):
    """Which calls, and how their costs are summed up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: costs.By = "day"
    begin: DayOrMoment | None = Field(
        None, alias="from", description="begun at or after this; a date means its midnight (UTC)"
    )
    end: DayOrMoment | None = Field(None, alias="to", description="begun before this")


def add_to(api: Api) -> None:
    """Declare the operation."""
    api.operation("GET", "/v1/costs", roles=("admin",), answers={200: costing.Costs})(read_costs)


async def read_costs(request: web.Request, *, query: CostQuery) -> web.Response:
    """Sum up what calls cost, by default this month's by day, with a projection of the month."""
    async with request.app[POOL].acquire() as conn:
        found = await costing.read(conn, query.by, query.begin, query.end)
    return web.json_response(text=found.model_dump_json(by_alias=True))
