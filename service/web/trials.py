"""Golden examples over HTTP: what a run costs, starting one, and what came of it."""

from functools import partial
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service import tallying
from service.tallying import CheckSummary, CheckView
from service.trying import Price, Quote, Trying
from service.web import BEARER, POOL, bodies
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api
from service.web.rulesets import READERS, VERSION, VersionPath

TRYING = web.AppKey("trying", Trying)
CHECKS = f"{VERSION}/checks"


class CheckPath(VersionPath):
    """One run of a version's golden examples."""

    check: UUID


class CheckBody(BaseModel):
    """The quote that is agreed to; without it nothing is started."""

    model_config = ConfigDict(extra="forbid")

    confirm: Price | None = None


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    cursor: UUID | None = Field(None, description="`next` of the page before")
    limit: int = Field(20, ge=1, le=100, description="most items a page")


class CheckPage(BaseModel):
    """A page of runs; ``next`` is the cursor of the page after it."""

    items: list[CheckSummary]
    next: str | None


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "POST",
        f"{VERSION}/check",
        roles=("policy",),
        answers={200: Quote, 202: CheckView},
        request=bodies.json_of(CheckBody),
        sends={202: ("Location",)},
        refusals=(
            *("json_invalid", *BODY_REFUSALS),
            *("examples_unusable", "quote_changed", "quote_impossible"),
        ),
        needs_body=False,
    )(check_version)
    reading = partial(api.operation, "GET", roles=READERS)
    reading(CHECKS, answers={200: CheckPage})(list_checks)
    reading(f"{CHECKS}/{{check}}", answers={200: CheckView})(read_check)


async def check_version(request: web.Request, *, path: VersionPath) -> web.Response:
    """Quote a run of a version's golden examples; confirmed, start it."""
    trying = request.app[TRYING]
    body = await bodies.read_json(request, CheckBody)
    if body.confirm is None:
        quote = await trying.quote(path.name, path.n)
        return web.json_response(text=quote.model_dump_json())
    actor = f"token:{request[BEARER].id}"
    check = await trying.start(path.name, path.n, body.confirm, actor)
    async with request.app[POOL].acquire() as conn:
        begun = await tallying.read(conn, path.name, path.n, check)
    where = f"{CHECKS.format(name=path.name, n=path.n)}/{check}"
    return web.json_response(text=begun.model_dump_json(), status=202, headers={"Location": where})


async def list_checks(request: web.Request, *, path: VersionPath, query: PageQuery) -> web.Response:
    """List the runs of a version's golden examples, the newest first."""
    async with request.app[POOL].acquire() as conn:
        # One more than a page tells whether there is another page.
        found = await tallying.listed(
            conn, path.name, path.n, after=query.cursor, limit=query.limit + 1
        )
    items = found[: query.limit]
    more = str(items[-1].id) if len(found) > query.limit else None
    return web.json_response(text=CheckPage(items=items, next=more).model_dump_json())


async def read_check(request: web.Request, *, path: CheckPath) -> web.Response:
    """Tell what came of a run, example by example and rule by rule."""
    async with request.app[POOL].acquire() as conn:
        found = await tallying.read(conn, path.name, path.n, path.check)
    return web.json_response(text=found.model_dump_json())
