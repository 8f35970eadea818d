"""Rulesets over HTTP: their versions, what is sent by them, and which of them is live."""

from collections.abc import Sequence
from functools import partial

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service import catalogue, publishing, quoting, releasing
from service.auth import Role
from service.catalogue import RulesetSummary, RulesetView, VersionView
from service.errors import InputRefused
from service.policy import diffing
from service.policy.rulesets import RulesetName
from service.quoting import Offer, PromptView
from service.releasing import Order, Released
from service.web import POOL, actor, bodies, expected, tag
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api

OFFERS = web.AppKey("offers", Sequence[Offer])
# A longer ruleset is refused with its own faults; of this length it is not even read.
MAX_BYTES = 16 * 1024 * 1024
SOURCES = ("application/yaml", "application/json")
MAX_VERSION = 2**31 - 1


class RulesetPath(BaseModel):
    """One ruleset."""

    name: RulesetName


class VersionPath(RulesetPath):
    """One version of a ruleset."""

    n: int = Field(ge=1, le=MAX_VERSION, description="number of the version")


class NoteQuery(BaseModel):
    """What the author wants to be remembered with a version."""

    model_config = ConfigDict(extra="forbid")

    note: bodies.Sentence | None = None


class DiffQuery(BaseModel):
    """Which version to compare with."""

    model_config = ConfigDict(extra="forbid")

    old: int = Field(alias="from", ge=1, le=MAX_VERSION, description="number of the version before")


class PublishBody(BaseModel):
    """Why a version goes live; needed where golden examples failed and that is overridden."""

    model_config = ConfigDict(extra="forbid")

    override: bool = False
    reason: bodies.Sentence | None = None


class RollbackBody(BaseModel):
    """Which version is to be live again, if not the one before, and why."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, ge=1, le=MAX_VERSION)
    reason: bodies.Sentence | None = None


class RulesetList(BaseModel):
    """All rulesets, on one page."""

    items: list[RulesetSummary]
    next: None = None


READERS: tuple[Role, ...] = ("policy", "moderator", "admin")
VERSION = "/v1/rulesets/{name}/versions/{n}"
RELEASE_REFUSALS = (
    *("json_invalid", *BODY_REFUSALS, "ruleset_moved", "model_unknown", "ruleset_too_long"),
)


def add_to(api: Api) -> None:
    """Declare the operations."""
    reading = partial(api.operation, "GET", roles=READERS)
    reading("/v1/rulesets", answers={200: RulesetList})(list_rulesets)
    reading("/v1/rulesets/{name}", answers={200: RulesetView}, sends={200: ("ETag",)})(read_ruleset)
    reading(VERSION, answers={200: VersionView})(read_version)
    reading(f"{VERSION}/prompt", answers={200: (PromptView, "text/plain")})(read_prompt)
    reading(f"{VERSION}/schema", answers={200: "application/json"})(read_schema)
    reading(f"{VERSION}/diff", answers={200: (diffing.Diff, "text/plain")})(read_diff)
    api.operation(
        "POST",
        "/v1/rulesets/{name}/versions",
        roles=("policy",),
        answers={201: VersionView, 200: VersionView},
        request={
            "application/yaml": {"schema": {"type": "string"}, "x-max-bytes": MAX_BYTES},
            "application/json": {"schema": {"type": "object"}, "x-max-bytes": MAX_BYTES},
        },
        sends={201: ("Location",), 200: ("Location",)},
        refusals=(*BODY_REFUSALS, "ruleset_invalid"),
    )(add_version)
    releasing_ = partial(
        api.operation,
        "POST",
        roles=("policy",),
        answers={200: Released},
        sends={200: ("ETag",)},
        headers={"If-Match": "the live version that may be replaced, as an entity tag"},
        needs_body=False,
    )
    releasing_(
        f"{VERSION}/publish",
        request=bodies.json_of(PublishBody),
        refusals=(*RELEASE_REFUSALS, "second_person_needed", "examples_failed"),
    )(publish_version)
    releasing_(
        "/v1/rulesets/{name}/rollback",
        request=bodies.json_of(RollbackBody),
        refusals=(*RELEASE_REFUSALS, "rollback_impossible"),
    )(roll_back)


async def list_rulesets(request: web.Request) -> web.Response:
    """List every ruleset with its live version."""
    async with request.app[POOL].acquire() as conn:
        items = await catalogue.listed(conn)
    return web.json_response(text=RulesetList(items=items).model_dump_json())


async def read_ruleset(request: web.Request, *, path: RulesetPath) -> web.Response:
    """Tell a ruleset's versions; the entity tag is the live one."""
    async with request.app[POOL].acquire() as conn:
        found = await catalogue.ruleset(conn, path.name)
    return web.json_response(text=found.model_dump_json(), headers=tag(found.live_version))


async def read_version(request: web.Request, *, path: VersionPath) -> web.Response:
    """Tell all about a version: as it was written, and what it says."""
    async with request.app[POOL].acquire() as conn:
        found = await catalogue.version(conn, path.name, path.n)
    return web.json_response(text=found.model_dump_json())


async def read_prompt(request: web.Request, *, path: VersionPath) -> web.Response:
    """Show the whole prompt of a version, what of a context it takes and what images cost."""
    async with request.app[POOL].acquire() as conn:
        row = await catalogue.find(conn, path.name, path.n)
    if _wants_text(request):
        return web.Response(text=row["prompt"])
    shown = quoting.show(
        row["prompt"], row["prompt_sha256"], request.app[OFFERS], row["content"].get("model")
    )
    return web.json_response(text=shown.model_dump_json())


async def read_schema(request: web.Request, *, path: VersionPath) -> web.Response:
    """Give the JSON schema that descriptions by this version must fit."""
    async with request.app[POOL].acquire() as conn:
        row = await catalogue.find(conn, path.name, path.n)
    return web.json_response(row["schema"])


async def read_diff(request: web.Request, *, path: VersionPath, query: DiffQuery) -> web.Response:
    """Tell what a version changes of another."""
    async with request.app[POOL].acquire() as conn:
        found = await catalogue.diff(conn, path.name, query.old, path.n)
    if _wants_text(request):
        return web.Response(text=diffing.text(found))
    return web.json_response(text=found.model_dump_json())


async def add_version(request: web.Request, *, path: RulesetPath, query: NoteQuery) -> web.Response:
    """Keep a ruleset as a draft: 201, or 200 with the version that has the same content."""
    if request.content_type not in SOURCES:
        raise InputRefused(
            "content_type_not_supported",
            f"{request.content_type} is not supported; send {' or '.join(SOURCES)}",
        )
    source = await bodies.read(request, MAX_BYTES)
    async with request.app[POOL].acquire() as conn:
        kept = await publishing.submit(conn, path.name, source, actor(request), query.note)
        found = await catalogue.version(conn, kept.name, kept.version)
    return web.json_response(
        text=found.model_dump_json(),
        status=201 if kept.new else 200,
        headers={"Location": VERSION.format(name=kept.name, n=kept.version)},
    )


async def publish_version(request: web.Request, *, path: VersionPath) -> web.Response:
    """Make a version live."""
    body = await bodies.read_json(request, PublishBody)
    order = Order(actor(request), body.reason, body.override, expected(request))
    windows = partial(quoting.windows, request.app[OFFERS])
    async with request.app[POOL].acquire() as conn:
        done = await releasing.publish(conn, path.name, path.n, order, windows)
    return _released(done)


async def roll_back(request: web.Request, *, path: RulesetPath) -> web.Response:
    """Make a version live again, by default the one that the live one replaced."""
    body = await bodies.read_json(request, RollbackBody)
    order = Order(actor(request), body.reason, expected=expected(request))
    windows = partial(quoting.windows, request.app[OFFERS])
    async with request.app[POOL].acquire() as conn:
        done = await releasing.rollback(conn, path.name, body.version, order, windows)
    return _released(done)


def _released(done: Released) -> web.Response:
    return web.json_response(text=done.model_dump_json(), headers=tag(done.live_version))


def _wants_text(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "text/plain" in accepted and "application/json" not in accepted
