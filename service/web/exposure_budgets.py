"""Budgets of looks at originals over HTTP: how many a day a person may have, by severity."""

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service import revealing
from service.store import exposures
from service.web import POOL, actor, bodies
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api


class Budget(BaseModel):
    """How many originals of a severity a person may see within a day (UTC)."""

    model_config = ConfigDict(extra="forbid")

    severity: int = Field(ge=0, le=4)
    per_day: int | None = Field(ge=0, lt=2**31, description="no limit if null")


def _once(budgets: list[Budget]) -> list[Budget]:
    if len({one.severity for one in budgets}) < len(budgets):
        raise ValueError("each severity may be named once")
    return budgets


class Change(BaseModel):
    """The budgets to be set; those of severities that are not named stay."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[Budget], Field(min_length=1, max_length=5), AfterValidator(_once)]


class BudgetList(BaseModel):
    """The budgets of all severities, on one page."""

    items: list[Budget]
    next: None = None


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation("GET", "/v1/exposure-budgets", roles=("admin",), answers={200: BudgetList})(
        list_budgets
    )
    api.operation(
        "PATCH",
        "/v1/exposure-budgets",
        roles=("admin",),
        answers={200: BudgetList},
        request=bodies.json_of(Change),
        refusals=("json_invalid", *BODY_REFUSALS),
    )(change_budgets)


async def list_budgets(request: web.Request) -> web.Response:
    """List how many originals of each severity a person may see within a day."""
    async with request.app[POOL].acquire() as conn:
        return _answer(await exposures.budgets(conn))


async def change_budgets(request: web.Request) -> web.Response:
    """Change the budgets of those severities that the body names, from the next look on."""
    body = await bodies.read_json(request, Change)
    given = {one.severity: one.per_day for one in body.items}
    async with request.app[POOL].acquire() as conn:
        return _answer(await revealing.set_budgets(conn, given, actor(request)))


def _answer(budgets: dict[int, int | None]) -> web.Response:
    items = [Budget(severity=severity, per_day=per_day) for severity, per_day in budgets.items()]
    return web.json_response(text=BudgetList(items=items).model_dump_json())
