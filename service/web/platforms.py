"""Platforms over HTTP: their settings, and what they have used of their quotas today."""

from datetime import datetime
from typing import Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service import enrolling
from service.auth import Role
from service.errors import InputRefused
from service.hooks.settings import HookSettings
from service.hooks.stores import FetchingSettings
from service.policy.rulesets import RulesetName
from service.store import platforms
from service.store.platforms import Platform
from service.web import BEARER, POOL, actor, bodies, expected, tag
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api


class PlatformPath(BaseModel):
    """One platform."""

    name: str = Field(pattern=f"^{enrolling.PLATFORM_NAME.pattern}$")


class PlatformSettings(BaseModel):
    """What of a platform can be set; null takes a setting back, what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    default_ruleset: RulesetName | None = Field(
        None, description="by which uploads are judged that name no ruleset"
    )
    reuse: bool = Field(True, description="whether an image sent again gets the first one's result")
    max_requests_per_s: float | None = Field(
        None,
        ge=enrolling.RATES[0],
        le=enrolling.RATES[1],
        description="of all its tokens together; up to a second's worth at once",
    )
    max_uploads_per_day: int | None = Field(
        None, ge=0, le=enrolling.MOST, description="accepted within a day (UTC)"
    )
    max_bytes_per_day: int | None = Field(
        None, ge=0, le=enrolling.MOST, description="of the images accepted within a day (UTC)"
    )
    fetching: FetchingSettings | None = Field(
        None, description="what is fetched; set as a whole, its secrets are never shown"
    )
    hooks: HookSettings | None = Field(
        None, description="of its upload hooks; set as a whole, its secrets are never shown"
    )


class NewPlatform(PlatformSettings):
    """A platform to be added."""

    name: str = Field(pattern=f"^{enrolling.PLATFORM_NAME.pattern}$")


class PlatformView(PlatformSettings):
    """A platform, its settings, and what it has used today (UTC)."""

    name: str
    uploads_today: int
    bytes_today: int
    created_at: datetime

    @classmethod
    def of(cls, found: Platform) -> Self:
        """Show a platform; its secrets become asterisks when it is written."""
        return cls.model_validate({name: getattr(found, name) for name in cls.model_fields})


class PlatformList(BaseModel):
    """All platforms that the caller may see, on one page."""

    items: list[PlatformView]
    next: None = None


READERS: tuple[Role, ...] = ("admin", "platform")
WRITE_REFUSALS = ("json_invalid", *BODY_REFUSALS, "ruleset_unknown")


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation("GET", "/v1/platforms", roles=READERS, answers={200: PlatformList})(
        list_platforms
    )
    api.operation(
        "GET",
        "/v1/platforms/{name}",
        roles=READERS,
        answers={200: PlatformView},
        sends={200: ("ETag",)},
    )(read_platform)
    api.operation(
        "POST",
        "/v1/platforms",
        roles=("admin",),
        answers={201: PlatformView},
        request=bodies.json_of(NewPlatform),
        sends={201: ("Location", "ETag")},
        refusals=(*WRITE_REFUSALS, "platform_exists"),
    )(add_platform)
    api.operation(
        "PATCH",
        "/v1/platforms/{name}",
        roles=("admin",),
        answers={200: PlatformView},
        request=bodies.json_of(PlatformSettings),
        needs_body=False,
        sends={200: ("ETag",)},
        headers={"If-Match": "the entity tag of the settings that may be changed"},
        refusals=(*WRITE_REFUSALS, "platform_changed"),
    )(change_platform)


async def list_platforms(request: web.Request) -> web.Response:
    """List platforms; a platform sees its own."""
    async with request.app[POOL].acquire() as conn:
        found = await platforms.listed(conn, request[BEARER].platform)
    return web.json_response(
        text=PlatformList(items=[PlatformView.of(one) for one in found]).model_dump_json()
    )


async def read_platform(request: web.Request, *, path: PlatformPath) -> web.Response:
    """Tell a platform's settings and use; the entity tag is that of the settings."""
    own = request[BEARER].platform
    found = None
    if own in (None, path.name):
        async with request.app[POOL].acquire() as conn:
            found = await enrolling.read(conn, path.name)
    if found is None:
        raise InputRefused("not_found", f"nothing is at {request.path}")
    return _answer(found)


async def add_platform(request: web.Request) -> web.Response:
    """Add a platform."""
    body = await bodies.read_json(request, NewPlatform)
    async with request.app[POOL].acquire() as conn:
        made = await enrolling.create(conn, body.name, _given(body), actor(request))
    return _answer(made, 201, {"Location": f"/v1/platforms/{made.name}"})


async def change_platform(request: web.Request, *, path: PlatformPath) -> web.Response:
    """Change those settings that the body names."""
    body = await bodies.read_json(request, PlatformSettings)
    async with request.app[POOL].acquire() as conn:
        changed = await enrolling.change(
            conn,
            path.name,
            _given(body),
            actor(request),
            expected(request),
        )
    return _answer(changed)


def _given(body: PlatformSettings) -> dict[str, object]:
    """Name what was given, with the models of what has parts."""
    return {name: getattr(body, name) for name in body.model_fields_set - {"name"}}


def _answer(
    found: Platform, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response(
        text=PlatformView.of(found).model_dump_json(),
        status=status,
        headers={**tag(found.revision), **(headers or {})},
    )
