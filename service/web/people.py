"""Who a token stands for, what it may do, and how much its person has seen today."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from service import auth, revealing
from service.store import exposures
from service.web import BEARER, POOL, bodies, person
from service.web import review_models as models
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api
from service.web.reviews import DECIDERS, TERMS
from service.web.uploads import UploadPath


class Me(BaseModel):
    """Whom a token stands for; ``scopes`` null are all that the role may do."""

    id: UUID
    name: str | None
    role: auth.Role
    platform: str | None
    scopes: list[str] | None
    expires_at: datetime | None


class Looks(BaseModel):
    """How many looks at originals of a severity were had today (UTC); null where unbounded."""

    severity: int
    spent: int
    per_day: int | None
    left: int | None


class Exposure(BaseModel):
    """Looks by severity; a reveal that was not used yet counts as one."""

    items: list[Looks]
    next: None = None


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation("GET", "/v1/me", roles=auth.ROLES, answers={200: Me})(tell_me)
    api.operation("GET", "/v1/me/exposure", roles=DECIDERS, answers={200: Exposure})(tell_exposure)
    api.operation(
        "POST",
        "/v1/reviews/{id}/reveal",
        roles=DECIDERS,
        answers={201: models.RevealView},
        sends={201: ("Location",)},
        request=bodies.json_of(models.Reveal),
        refusals=("json_invalid", *BODY_REFUSALS, "no_original", "exposure_budget_spent"),
    )(reveal_original)


async def tell_me(request: web.Request) -> web.Response:
    """Tell whom the token stands for."""
    bearer = request[BEARER]
    view = Me.model_validate({name: getattr(bearer, name) for name in Me.model_fields})
    return web.json_response(text=view.model_dump_json())


async def tell_exposure(request: web.Request) -> web.Response:
    """Tell how many originals one has seen today, and how many one may."""
    async with request.app[POOL].acquire() as conn:
        today = await exposures.today(conn, request[BEARER].id)
    items = [
        Looks(
            severity=one.severity,
            spent=one.spent,
            per_day=one.per_day,
            left=None if one.per_day is None else max(0, one.per_day - one.spent),
        )
        for one in today
    ]
    return web.json_response(text=Exposure(items=items).model_dump_json())


async def reveal_original(request: web.Request, *, path: UploadPath) -> web.Response:
    """Open the original to oneself, for a reason."""
    body = await bodies.read_json(request, models.Reveal)
    async with request.app[POOL].acquire() as conn:
        opened = await revealing.reveal(
            conn, person(request), path.id, body.reason, request.app[TERMS].reveal
        )
    view = models.RevealView(id=opened.id, until=opened.until)
    return web.json_response(text=view.model_dump_json(), status=201, headers=models.where(path.id))
