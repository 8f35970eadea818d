"""Tokens over HTTP: making, listing and ending them; a platform has its own only."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service import administering, auth
from service.administering import Order
from service.auth import Role
from service.enrolling import PLATFORM_NAME
from service.errors import InputRefused
from service.store import tokens
from service.store.records import Moment
from service.store.tokens import Bearer
from service.web import BEARER, POOL, actor, bodies, paging
from service.web.bodies import BODY_REFUSALS
from service.web.openapi import Api

KEEPERS: tuple[Role, ...] = ("admin", "platform")


class TokenPath(BaseModel):
    """One token."""

    id: UUID


class TokenQuery(BaseModel):
    """Whose tokens are listed, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    platform: str | None = Field(None, pattern=f"^{PLATFORM_NAME.pattern}$")
    cursor: paging.Cursor | None = None
    limit: int = Field(50, ge=1, le=200, description="most items a page")


def _read_moment(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


class NewToken(BaseModel):
    """
    A token to be made.

    A token can give no more than it has itself: a platform's for that platform, scopes for scopes,
    and an end no later than its own.
    """

    model_config = ConfigDict(extra="forbid")

    role: Role
    platform: str | None = Field(
        None, pattern=f"^{PLATFORM_NAME.pattern}$", description="exactly with the role platform"
    )
    name: bodies.Word | None = Field(None, description="what it is for")
    scopes: list[str] | None = Field(
        None,
        min_length=1,
        max_length=len(auth.SCOPES),
        description=f"of what the role may do; all of it if null; {', '.join(auth.SCOPES)}",
    )
    expires_at: Annotated[Moment, BeforeValidator(_read_moment)] | None = Field(
        None, description="never if null"
    )


class TokenView(BaseModel):
    """A token without its value; ``last_used_at`` is right to a minute."""

    id: UUID
    role: Role
    platform: str | None
    name: str | None
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeToken(TokenView):
    """A new token; ``token`` is shown this once."""

    token: str


class TokenList(BaseModel):
    """A page of tokens, the oldest first; ``next`` is the cursor of the page after it."""

    items: list[TokenView]
    next: str | None


def add_to(api: Api) -> None:
    """Declare the operations."""
    api.operation(
        "GET",
        "/v1/tokens",
        roles=KEEPERS,
        answers={200: TokenList},
        refusals=("cursor_invalid", "not_found"),
    )(list_tokens)
    api.operation("GET", "/v1/tokens/{id}", roles=KEEPERS, answers={200: TokenView})(read_token)
    api.operation(
        "POST",
        "/v1/tokens",
        roles=KEEPERS,
        answers={201: MadeToken},
        request=bodies.json_of(NewToken),
        sends={201: ("Location", "Cache-Control")},
        refusals=("json_invalid", *BODY_REFUSALS, "not_found"),
    )(make_token)
    api.operation("DELETE", "/v1/tokens/{id}", roles=KEEPERS, answers={204: ""})(end_token)


async def list_tokens(request: web.Request, *, query: TokenQuery) -> web.Response:
    """List tokens without their values; a platform sees its own."""
    own = request[BEARER].platform
    if own is not None and query.platform not in (None, own):
        raise InputRefused("not_found", f"there is no platform {query.platform!r}")
    after = paging.read(query.cursor)
    async with request.app[POOL].acquire() as conn:
        # One row more than a page tells whether there is another page.
        found = await tokens.listed(conn, own or query.platform, after=after, limit=query.limit + 1)
    items = [TokenView.model_validate(_fields(one)) for one in found[: query.limit]]
    more = paging.cursor(items[-1].id) if len(found) > query.limit else None
    return web.json_response(text=TokenList(items=items, next=more).model_dump_json())


async def read_token(request: web.Request, *, path: TokenPath) -> web.Response:
    """Tell what a token is for, without its value."""
    async with request.app[POOL].acquire() as conn:
        found = await tokens.listed(conn, request[BEARER].platform, path.id)
    if not found:
        raise InputRefused("not_found", f"nothing is at {request.path}")
    return web.json_response(text=TokenView.model_validate(_fields(found[0])).model_dump_json())


async def make_token(request: web.Request) -> web.Response:
    """Make a token; the answer is the only time that it is shown."""
    body = await bodies.read_json(request, NewToken)
    bearer = request[BEARER]
    platform = body.platform
    if bearer.platform is not None and body.role == "platform":
        platform = platform or bearer.platform
    order = Order(body.role, platform, body.name, body.scopes, body.expires_at)
    _check_giver(bearer, order)
    async with request.app[POOL].acquire() as conn:
        made = await administering.create_token(conn, order, actor(request))
        (found,) = await tokens.listed(conn, token=made.id)
    shown = MadeToken.model_validate({**_fields(found), "token": made.token})
    return web.json_response(
        text=shown.model_dump_json(),
        status=201,
        headers={"Location": f"/v1/tokens/{made.id}", "Cache-Control": "no-store"},
    )


async def end_token(request: web.Request, *, path: TokenPath) -> web.Response:
    """End a token at once."""
    own = request[BEARER].platform
    async with request.app[POOL].acquire() as conn:
        if not await administering.revoke_token(conn, path.id, own, actor(request)):
            raise InputRefused("not_found", f"nothing is at {request.path}, or it has ended")
    return web.Response(status=204)


def _check_giver(bearer: Bearer, order: Order) -> None:
    """Let nobody give what he does not have."""
    if bearer.role == "platform" and order.role != "platform":
        raise InputRefused(
            "role_not_allowed", f"a platform token may not make a {order.role} token"
        )
    if bearer.platform is not None and order.platform != bearer.platform:
        raise InputRefused("not_found", f"there is no platform {order.platform!r}")
    if bearer.scopes is not None and not set(order.scopes or auth.SCOPES) <= set(bearer.scopes):
        raise InputRefused(
            "scope_not_allowed",
            f"this token can give no more scopes than its own: {', '.join(bearer.scopes)}",
        )
    ends = bearer.expires_at
    if ends is not None and (order.expires_at is None or order.expires_at > ends):
        raise InputRefused(
            "validation_failed", f"expires_at must be no later than this token's own end, {ends}"
        )


def _fields(found: tokens.Listed) -> dict[str, object]:
    return {name: getattr(found, name) for name in TokenView.model_fields}
