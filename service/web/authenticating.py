"""Who asks: the bearer of a token, with the right role and scope, within the platform's rate."""

from aiohttp import web

from service import auth, metering
from service.errors import InputRefused
from service.store import tokens
from service.store.tokens import Bearer
from service.web import POOL


async def authenticate(request: web.Request, roles: tuple[auth.Role, ...], scope: str) -> Bearer:
    """
    Tell whose token a request carries, and count the request where its platform has a rate.

    Raises:
        InputRefused: No valid token, a role or a scope that may not do this, or too many requests.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InputRefused("token_missing", "send the header Authorization: Bearer TOKEN")
    if not token.isascii():  # It cannot be one of ours; it may not even be UTF-8.
        raise InputRefused("token_invalid", "this token is unknown or was revoked")
    async with request.app[POOL].acquire() as conn:
        bearer = await tokens.find(conn, auth.digest(token.strip()))
        if bearer is None:
            raise InputRefused("token_invalid", "this token is unknown or was revoked")
        if bearer.expired:
            raise InputRefused("token_invalid", f"this token expired at {bearer.expires_at}")
        if bearer.unnoted:
            await tokens.note_use(conn, bearer.id)
        _check_allowed(bearer, roles, scope)
        if bearer.platform is not None and bearer.max_requests_per_s is not None:
            await metering.take_request(conn, bearer.platform, bearer.max_requests_per_s)
    return bearer


def _check_allowed(bearer: Bearer, roles: tuple[auth.Role, ...], scope: str) -> None:
    if bearer.role not in roles:
        raise InputRefused(
            "role_not_allowed",
            f"a {bearer.role} token may not do this; allowed: {', '.join(roles)}",
        )
    if bearer.scopes is not None and scope not in bearer.scopes:
        raise InputRefused(
            "scope_not_allowed",
            f"this needs the scope {scope}; this token has: {', '.join(bearer.scopes)}",
        )
