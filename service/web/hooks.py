"""Hooks over HTTP: a sender's own message becomes uploads, answered item by item."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from uuid import UUID

from aiohttp import web

from service.errors import InputRefused
from service.hooks import (
    Fault,
    HookRefused,
    Ignored,
    Item,
    Message,
    Result,
    event_id,
    presets,
    tus,
)
from service.intake import Event, Known, Received
from service.pictures.headers import Limits
from service.web import bodies, gating, hook_senders, problems
from service.web.admission import SHARE
from service.web.hook_models import (
    HookAnswer,
    HookItem,
    HookItems,
    HookPath,
    HookQuery,
    SecretPath,
    SenderPath,
)
from service.web.hook_senders import Sender
from service.web.openapi import Api
from service.web.uploads import INTAKE, MAX_IMAGE_BYTES, note_accepted
from service.web.waiting import PREFER_WAIT, preferred_wait

# Refusals of the moment: the sender is to send the whole message again.
_AGAIN = (429, 503)
_PROOFS = ("senderBearer", "senderBasic", "senderHmac", "standardWebhooks")
# An image in JSON is base64; the composition root may set another limit for images.
_MOST = {"x-max-bytes": Limits().max_bytes * 4 // 3 + bodies.OVERHEAD_BYTES}
_CONTENT: Mapping[str, Mapping[str, Any]] = {
    "application/json": {"schema": {}, **_MOST},
    "application/cloudevents+json": {"schema": {"type": "object"}, **_MOST},
    "application/cloudevents-batch+json": {"schema": {"type": "array"}, **_MOST},
    "image/*": {"schema": {"type": "string", "format": "binary"}, **_MOST},
}
_REFUSALS = (
    *("hook_unknown", "hook_malformed", "image_url_not_allowed"),
    *("body_incomplete", "body_timeout", "body_too_large", "encoding_not_supported", "empty_body"),
    *("not_an_image", "picture_too_large", "too_many_frames", "ruleset_unknown"),
)
_UNPROVEN = ("hook_not_authentic", "quota_exceeded", "database_unavailable")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: the preset, and how many come before it in the message."""

    preset: str
    at: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message; ``hook`` names that of tusd, where it is one."""

    platform: str
    items: list[HookItem]
    uploads: list[UUID]
    hook: str | None


Identify: TypeAlias = Callable[[Message], Awaitable[Sender]]


def add_to(api: Api) -> None:
    """Declare the operations."""
    take = functools.partial(
        api.operation,
        "POST",
        answers={200: HookAnswer, 202: HookAnswer},
        request=_CONTENT,
        needs_body=False,
        headers=PREFER_WAIT,
        may_send=("Location",),
    )
    own, sent = "/v1/hooks/{preset}", "/v1/hooks/{preset}/{platform}"
    take(own, roles=("platform",), refusals=_REFUSALS)(receive_event)
    take(sent, security=_PROOFS, refusals=(*_REFUSALS, *_UNPROVEN))(receive_sent_event)
    # OpenAPI has no word for a secret in the path.
    take(f"{sent}/{{secret}}", refusals=(*_REFUSALS, *_UNPROVEN))(receive_secret_event)
    allowed = {200: ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")}
    greet = functools.partial(
        api.operation,
        "OPTIONS",
        answers={200: ""},
        refusals=("hook_unknown",),
        sends=allowed,
    )
    greet(sent)(greet_sender)
    greet(f"{sent}/{{secret}}")(greet_secret_sender)


async def receive_event(request: web.Request, *, path: HookPath, query: HookQuery) -> web.Response:
    """Take the uploads that a message tells of, from a bearer of the platform's token."""
    identify = functools.partial(hook_senders.of_token, request)
    return await _receive(request, path.preset, query, identify)


async def receive_sent_event(
    request: web.Request, *, path: SenderPath, query: HookQuery
) -> web.Response:
    """Take the uploads that a message tells of, from a sender that proves itself."""
    identify = functools.partial(hook_senders.authentic, request, path.platform, None)
    return await _receive(request, path.preset, query, identify)


async def receive_secret_event(
    request: web.Request, *, path: SecretPath, query: HookQuery
) -> web.Response:
    """Take the uploads that a message tells of, from a sender that knows the secret path."""
    identify = functools.partial(hook_senders.authentic, request, path.platform, path.secret)
    return await _receive(request, path.preset, query, identify)


async def greet_sender(_: web.Request, *, path: SenderPath, query: HookQuery) -> web.Response:  # noqa: ARG001  # checked
    """
    Allow any origin to send, which tells nothing of the platform: what it sends must prove itself.

    Source: CloudEvents "HTTP 1.1 Web Hooks for Event Delivery" 1.0.2, section 4 (abuse protection).
    """
    presets.check(path.preset)
    return web.Response(headers={"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})


async def greet_secret_sender(
    request: web.Request, *, path: SecretPath, query: HookQuery
) -> web.Response:
    """Allow any origin to send to a secret path, right or wrong."""
    return await greet_sender(request, path=path, query=query)


async def _receive(
    request: web.Request, preset: str, query: HookQuery, identify: Identify
) -> web.Response:
    taken = await _take(request, preset, query, identify)
    # Who waits for a gate holds neither the message nor its images meanwhile.
    request[SHARE].leave()
    seconds = query.wait or preferred_wait(request)
    if taken.hook is not None:
        return await _tus_reply(request, taken, taken.hook, seconds)
    if query.answer == "gate" and taken.uploads:
        gate = await gating.after(request, taken.platform, taken.uploads[0], seconds)
        return gating.respond(gate)
    return web.json_response(
        text=HookItems(items=taken.items).model_dump_json(), status=202 if taken.uploads else 200
    )


async def _take(request: web.Request, preset: str, query: HookQuery, identify: Identify) -> Taken:
    """
    Read the message, see who sent it, and take what it tells of.

    Raises:
        InputRefused: Nothing of it can be used, or its sender is to send it again.
    """
    limit = request.app[MAX_IMAGE_BYTES] * 4 // 3 + bodies.OVERHEAD_BYTES
    # An event of CloudEvents may be all headers.
    body = await bodies.read(request, limit) if request.can_read_body else b""
    message = Message.of(request.headers.items(), body)
    sender = await identify(message)
    results = await asyncio.to_thread(presets.read, preset, message, sender.settings)
    told = sum(isinstance(result, Item) for result in results)
    if query.answer == "gate" and told > 1:
        raise InputRefused(
            "validation_failed", f"answer=gate is for one upload; this message tells of {told}"
        )
    items = [
        await _item(request, Place(preset, at), sender, query.ruleset, result)
        for at, result in enumerate(results)
    ]
    uploads = [item.upload for item in items if item.upload is not None]
    if not uploads:
        _refuse_if_any(items, results)
    hook = await asyncio.to_thread(tus.hook_of, message) if preset == "tus" else None
    return Taken(sender.platform, items, uploads, hook)


async def _item(
    request: web.Request, place: Place, sender: Sender, ruleset: str | None, result: Result
) -> HookItem:
    """Take one upload; what is wrong with it alone leaves the others standing."""
    match result:
        case Ignored():
            return HookItem(status="ignored", detail=result.reason)
        case Fault():
            return HookItem(status="refused", code="hook_malformed", detail=result.message)
    name = result.event_id
    if name is None and sender.replay_id is not None:
        name = event_id((sender.replay_id,), (str(place.at),))
    received = Received(result.source, ruleset, result.external_id, dict(result.metadata))
    try:
        taken = await request.app[INTAKE].accept_event(
            sender.platform, received, Event(place.preset, name) if name is not None else None
        )
    except InputRefused as error:
        if problems.STATUS[error.code] in _AGAIN:
            raise
        return HookItem(status="refused", code=error.code, detail=str(error))
    if isinstance(taken, Known):
        return _done("known", taken.upload_id)
    size = len(result.source) if isinstance(result.source, bytes) else None
    note_accepted(taken, size, preset=place.preset)
    return _done("accepted", taken.upload.id)


def _done(status: Literal["accepted", "known"], upload: UUID) -> HookItem:
    return HookItem(status=status, upload=upload, location=f"/v1/uploads/{upload}")


def _refuse_if_any(items: Sequence[HookItem], results: Sequence[Result]) -> None:
    """Refuse a message of which nothing was taken, unless there was nothing to take."""
    for item, result in zip(items, results, strict=True):
        if isinstance(result, Item):
            raise InputRefused(item.code or "", item.detail or "")
    faults = [result for result in results if isinstance(result, Fault)]
    if faults:
        raise HookRefused(*faults)


async def _tus_reply(request: web.Request, taken: Taken, hook: str, seconds: int) -> web.Response:
    """Tell tusd's client the gate of its upload, where tusd waits for an answer."""
    if not taken.uploads or hook != "pre-finish":
        return web.json_response(tus.reply(hook))
    gate = await gating.after(request, taken.platform, taken.uploads[0], seconds)
    told = {"Moderation-Upload": str(gate.upload), "Moderation-Gate": gate.gate}
    if gate.gate == "block":
        said = {"upload": str(gate.upload), "gate": gate.gate}
        return web.json_response(tus.reply(hook, 403, said, told))
    return web.json_response(tus.reply(hook, headers=told))
