"""Who sends a hook: a bearer of the platform's token, or a sender that its settings know."""

import asyncio
import secrets
from dataclasses import dataclass

from aiohttp import web

from service import enrolling, log, metering, standard_webhooks
from service.hooks import Message, authenticating
from service.hooks.authenticating import NotAuthentic
from service.hooks.settings import HookSettings
from service.store import senders
from service.web import BEARER, POOL

_UNPROVEN = "this message does not prove that a sender of the platform sent it"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts for a platform; ``replay_id`` names the message where it was signed."""

    platform: str
    settings: HookSettings
    replay_id: str | None = None


def _decoy() -> HookSettings:
    """Make settings that nobody can satisfy, against which unknown platforms' senders are held."""
    secret = secrets.token_urlsafe(32)
    plain = [{"kind": kind, "secrets": [secret]} for kind in ("bearer", "hmac", "path")]
    return HookSettings.model_validate(
        {
            "authentication": [
                *plain,
                {"kind": "basic", "username": "nobody", "secrets": [secret]},
                {"kind": "standard-webhooks", "secrets": [standard_webhooks.new_secret()]},
            ]
        }
    )


_DECOY = _decoy()


async def of_token(request: web.Request, _: Message) -> Sender:
    """Tell the platform whose token the request came with."""
    platform = request[BEARER].platform or ""
    async with request.app[POOL].acquire() as conn:
        found = await senders.find(conn, platform)
    return Sender(platform, HookSettings.model_validate(found.hooks or {}))


async def authentic(
    request: web.Request, platform: str, secret: str | None, message: Message
) -> Sender:
    """
    Hold a message against the hook settings of its platform, and count it in the platform's rate.

    Raises:
        NotAuthentic: In the same words, whatever it was that did not fit.
    """
    named = platform if enrolling.PLATFORM_NAME.fullmatch(platform) else ""
    async with request.app[POOL].acquire() as conn:
        found = await senders.find(conn, named)
    settings = HookSettings.model_validate(found.hooks or {})
    held_against = settings if settings.authentication else _DECOY
    try:
        proven = await asyncio.to_thread(
            authenticating.check, message, held_against, now=found.at, path_secret=secret
        )
    except NotAuthentic as error:
        if found.known:
            # Only the operator may learn what was looked for, and that the platform exists.
            reason = str(error) if held_against is settings else "no authentication is configured"
            log.get().warning("hook_not_authentic", platform=named, reason=reason)
        raise NotAuthentic(_UNPROVEN) from None
    if found.max_requests_per_s is not None:
        async with request.app[POOL].acquire() as conn:
            await metering.take_request(conn, named, found.max_requests_per_s)
    return Sender(named, settings, proven.replay_id)
