"""Callbacks as the client reads them: what the real deliverer sent, and what it did not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from service import standard_webhooks
from service.client import SignatureRefused, verify_callback
from service.store import Conn
from tests.callbacks.conftest import Delivering, delivering
from tests.callbacks.driving import subscribe, tell
from tests.callbacks.receivers import receiving

__all__ = ["delivering"]
OTHER = standard_webhooks.new_secret()
SECRET = standard_webhooks.new_secret()
BODY = b'{"type":"upload.described","data":{}}'


async def test_a_delivered_callback_is_read(owner: Conn, delivering: Delivering) -> None:
    """What came is genuine by either of several secrets, and typed; names may have any case."""
    async with receiving() as receiver, delivering():
        told = await subscribe(owner, receiver.url)
        callback = await tell(owner)
        await tell(owner, state="failed")
        came, failed = sorted(await receiver.until(2), key=lambda one: one.id)
    assert told.secret is not None
    titled = {name.title(): value for name, value in came.headers.items()}
    found = [
        verify_callback(came.headers, came.body, told.secret),
        verify_callback(titled, came.body, [OTHER, told.secret]),
        verify_callback(came.headers, came.body, [told.secret, OTHER]),
    ]
    assert found[0] == found[1] == found[2]
    read = found[0]
    assert (read.id, read.type) == (str(callback), "upload.described")
    assert (read.outcome, read.verdict, read.external_id) == ("clean", "hold", "ü-1")
    assert (read.ruleset.name, read.severity, read.rules) == ("privacy", 0, ())
    upload = await owner.fetchval("SELECT upload_id FROM callbacks WHERE id = $1", callback)
    assert read.upload_id == upload
    assert read.raw["data"]["links"]["upload"].endswith(str(upload))
    assert abs(datetime.now(UTC) - read.signed_at) < timedelta(minutes=1)
    told_of = verify_callback(failed.headers, failed.body, told.secret)
    assert (told_of.type, told_of.outcome) == ("upload.failed", "refused")


def signed(body: bytes = BODY, ago_s: int = 0) -> Mapping[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return standard_webhooks.headers("id-1", at, body, [SECRET])


REFUSED = {
    "another secret": (signed(), BODY, OTHER, "another secret, or the body was changed"),
    "a changed body": (signed(), BODY + b" ", SECRET, "another secret, or the body was changed"),
    "old": (signed(ago_s=310), BODY, [OTHER, SECRET], "over 5 minutes from now"),
    "early": (signed(ago_s=-86_400), BODY, SECRET, "over 5 minutes from now"),
    "unsigned": ({}, BODY, SECRET, "webhook-id is missing"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_genuine_is_refused(kind: str) -> None:
    """The message tells what is wrong, and holds no secret."""
    headers, body, secrets, words = REFUSED[kind]
    with pytest.raises(SignatureRefused, match=words) as caught:
        verify_callback(headers, body, secrets)
    assert "whsec_" not in str(caught.value)


def test_the_time_may_be_given() -> None:
    """A receiver that takes from a queue checks against when the message came."""
    came = datetime.now(UTC) - timedelta(hours=5)
    sent = signed(ago_s=5 * 3600)
    with pytest.raises(ValueError, match="validation error"):
        verify_callback(sent, BODY, SECRET, now=came)
    with pytest.raises(SignatureRefused):
        verify_callback(sent, BODY, SECRET)


def test_a_receiver_without_secrets_takes_nothing() -> None:
    """An empty list of secrets is a fault of the receiver, never a pass."""
    with pytest.raises(ValueError, match="at least one is needed"):
        verify_callback(signed(), BODY, [])
