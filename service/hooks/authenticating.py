"""
Whether a message is from the sender it should be from, in each of the ways that senders know.

Sources: Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks, "Signature scheme"),
RFC 6750 (bearer), RFC 7617 (basic), GitHub "Validating webhook deliveries" (HMAC header).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pybase64
from pydantic import BaseModel, SecretStr

from service import standard_webhooks
from service.errors import InputRefused
from service.hooks import Message
from service.hooks.settings import (
    WINDOW_S,
    Basic,
    Bearer,
    Hmac,
    HookSettings,
    SecretPath,
    StandardWebhooks,
)
from service.standard_webhooks import SignatureRefused


class NotAuthentic(InputRefused):
    """A message does not prove that its sender sent it; the text says what was looked for."""

    def __init__(self, message: str) -> None:
        super().__init__("hook_not_authentic", message)


@dataclass(frozen=True, slots=True)
class Authentic:
    """
    A message that its sender sent.

    ``replay_id`` is to be remembered: a message with the same one is the same message again, and
    gets the first answer.  It is None for senders that sign nothing.  ``expires`` is when a
    replay would be refused anyway, in seconds since 1970, and None if it never would.
    """

    kind: str
    replay_id: str | None = None
    expires: int | None = None


def check(
    message: Message, settings: HookSettings, *, now: datetime, path_secret: str | None = None
) -> Authentic:
    """
    Accept a message that proves itself in one of the ways that its platform allows.

    Args:
        now: The time by the clock that signatures are held against.
        path_secret: The last part of the path, where there is one beyond the hook.

    Raises:
        NotAuthentic: In none of them; its text says why for each.
    """
    if not settings.authentication:
        raise NotAuthentic("no authentication is configured for this platform's hooks")
    complaints: list[str] = []
    for way in settings.authentication:
        try:
            return _CHECKS[type(way)](way, _Offer(message, int(now.timestamp()), path_secret))
        except NotAuthentic as error:
            complaints.append(f"{way.kind}: {error}")
    raise NotAuthentic("; ".join(complaints))


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a way of proving oneself has to look at."""

    message: Message
    now: int
    path_secret: str | None

    def header(self, name: str) -> str:
        value = self.message.headers.get(name.lower())
        if not value:
            raise NotAuthentic(f"header {name} is missing")
        return value

    def time(self, name: str) -> int:
        """Take a time in seconds since 1970, if it is within the window."""
        value = self.header(name)
        if not re.fullmatch(r"[0-9]{1,12}", value):
            raise NotAuthentic(f"header {name} is {value[:40]!a}; seconds since 1970 are allowed")
        if abs(int(value) - self.now) > WINDOW_S:
            raise NotAuthentic(
                f"header {name} is {int(value) - self.now:+} s from the time here; "
                f"{WINDOW_S} s are allowed"
            )
        return int(value)


def _bearer(way: Bearer, offer: _Offer) -> Authentic:
    scheme, _, token = offer.header("Authorization").partition(" ")
    if scheme.lower() != "bearer" or not _is_one(token.strip(), way.secrets):
        raise NotAuthentic("header Authorization is not Bearer and the secret")
    return Authentic(way.kind)


def _basic(way: Basic, offer: _Offer) -> Authentic:
    scheme, _, encoded = offer.header("Authorization").partition(" ")
    try:
        given = pybase64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        given = ""
    name, _, password = given.partition(":")
    named = _same(name, way.username)
    if scheme.lower() != "basic" or not (_is_one(password, way.secrets) and named):
        raise NotAuthentic("header Authorization is not Basic, the username and the secret")
    return Authentic(way.kind)


def _path(way: SecretPath, offer: _Offer) -> Authentic:
    if offer.path_secret is None or not _is_one(offer.path_secret, way.secrets):
        raise NotAuthentic("the path does not end in the secret")
    return Authentic(way.kind)


def _hmac(way: Hmac, offer: _Offer) -> Authentic:
    signature = offer.header(way.header)
    signed, expires = offer.message.body, None
    if way.timestamp_header is not None:
        time = offer.time(way.timestamp_header)
        # What the sender wrote is what it signed, so that leading zeros stay.
        signed = offer.header(way.timestamp_header).encode() + b"." + signed
        expires = time + WINDOW_S
    for secret in way.secrets:
        digest = hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
        if _same(signature.lower(), f"sha256={digest}"):
            return Authentic(way.kind, f"{way.kind}:{digest}", expires)
    raise NotAuthentic(f"header {way.header} is not sha256= and the signature of the body")


def _standard_webhooks(way: StandardWebhooks, offer: _Offer) -> Authentic:
    name = offer.header("webhook-id")
    # The parts are joined by full stops: one in the id could move bytes from part to part.
    if not re.fullmatch(r"[!-\-/-~]{1,200}", name):
        raise NotAuthentic(f"header webhook-id is {name[:40]!a}; no full stop or space is allowed")
    keys = [secret.get_secret_value() for secret in way.secrets]
    sent, now = offer.message.headers, datetime.fromtimestamp(offer.now, tz=UTC)
    try:
        at = standard_webhooks.verify(keys, sent, offer.message.body, now)
    except SignatureRefused as error:
        raise NotAuthentic(str(error)) from error
    return Authentic(way.kind, f"{way.kind}:{name}", int(at.timestamp()) + WINDOW_S)


def _is_one(given: str, secrets: Sequence[SecretStr]) -> bool:
    return any(_same(given, secret.get_secret_value()) for secret in secrets)


def _same(given: str, expected: str) -> bool:
    """Compare in a time that tells nothing; headers may hold what is no text."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


_Check: TypeAlias = Callable[[Any, _Offer], Authentic]
_CHECKS: Mapping[type[BaseModel], _Check] = {
    Bearer: _bearer,
    Basic: _basic,
    SecretPath: _path,
    Hmac: _hmac,
    StandardWebhooks: _standard_webhooks,
}
