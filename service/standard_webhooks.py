"""
Signatures of Standard Webhooks 1.0: made for what is sent, checked for what was received.

Source: the specification of github.com/standard-webhooks/standard-webhooks.
"""

import base64
import binascii
import hashlib
import hmac
import itertools
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from service.errors import ServiceError

PREFIX = "whsec_"
SECRET_BYTES = 32
# What the specification allows a secret to be.
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
TOLERANCE = timedelta(minutes=5)


class SignatureRefused(ServiceError):
    """The request was not signed with this secret, or not now; the message tells which."""

    code = "signature_refused"


def new_secret() -> str:
    """Make a secret of 256 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """
    Decode a secret.

    Raises:
        ValueError: It is not ``whsec_`` and base64 of 24 to 64 bytes; the secret is not quoted.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ValueError(
            f"a secret is {PREFIX} and the base64 of {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes"
        )
    return key


def headers(message: str, at: datetime, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """Give the three headers of a message; each secret signs it, so either may be checked."""
    timestamp = str(int(at.timestamp()))
    signatures = [_signature(key_of(one), message, timestamp, body) for one in keys]
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify(
    keys: Sequence[str], sent: Mapping[str, str], body: bytes, now: datetime | None = None
) -> datetime:
    """
    Check that a request was signed with one of these secrets; tell when.

    Args:
        sent: Its headers, by names in lower case.
        now: When it was received; None lets it be of any time.

    Raises:
        SignatureRefused: A header is missing or malformed, no signature fits, or the time is off.
        ValueError: A secret itself is malformed, or there is none.
    """
    if not keys:
        raise ValueError("there is no secret to check with; at least one is needed")
    message, timestamp, signatures = (
        _required(sent, f"webhook-{name}") for name in ("id", "timestamp", "signature")
    )
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        raise SignatureRefused(f"webhook-timestamp is {timestamp[:40]!r}, not seconds since 1970")
    expected = [_signature(key_of(one), message, timestamp, body).encode() for one in keys]
    offered = [one.encode(errors="replace") for one in signatures.split(" ")]
    pairs = itertools.product(expected, offered)
    if not any([hmac.compare_digest(*pair) for pair in pairs]):  # noqa: C419  # all are compared, whichever fits
        raise SignatureRefused(
            "no v1 signature fits: it was made with another secret, or the body was changed since"
        )
    at = datetime.fromtimestamp(int(timestamp), tz=UTC)
    if now is not None and abs(now - at) > TOLERANCE:
        raise SignatureRefused(f"it was signed at {at.isoformat()}, over 5 minutes from now")
    return at


def _required(sent: Mapping[str, str], name: str) -> str:
    if not sent.get(name):
        raise SignatureRefused(f"the header {name} is missing")
    return sent[name]


def _signature(key: bytes, message: str, timestamp: str, body: bytes) -> str:
    # A header may hold what is no UTF-8; it then fits nothing.
    signed = f"{message}.{timestamp}.".encode(errors="replace") + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
