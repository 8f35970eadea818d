"""Signatures of Standard Webhooks: what is made, what is taken, what is refused."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from service import standard_webhooks
from service.standard_webhooks import SignatureRefused

# The vector of the specification's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, tz=UTC)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SENT = {
    "webhook-id": MESSAGE,
    "webhook-timestamp": "1614265330",
    "webhook-signature": SIGNATURE,
}


def test_the_specifications_own_vector() -> None:
    """What we sign is, byte for byte, what the specification's libraries sign."""
    assert standard_webhooks.headers(MESSAGE, AT, BODY, [SECRET]) == SENT
    assert standard_webhooks.verify([SECRET], SENT, BODY, now=AT) == AT


def test_a_new_secret_is_one_that_others_can_use() -> None:
    """Secrets are 256 random bits that the authors' library takes too."""
    secrets = {standard_webhooks.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        sent = standard_webhooks.headers("id", datetime.now(UTC), b"{}", [SECRET, secret])
        for each in (SECRET, secret):
            Webhook(each).verify(b"{}", sent)
        assert len(standard_webhooks.key_of(secret)) == 32


def changed(**headers: str | None) -> dict[str, str]:
    """The good headers with changes; None leaves one out."""
    named = {f"webhook-{name}": value for name, value in headers.items()}
    return {name: value for name, value in {**SENT, **named}.items() if value is not None}


REFUSED = {
    "no id": (changed(id=None), BODY, "webhook-id is missing"),
    "no time": (changed(timestamp=None), BODY, "webhook-timestamp is missing"),
    "no signature": (changed(signature=""), BODY, "webhook-signature is missing"),
    "another id": (changed(id="msg_other"), BODY, "no v1 signature fits"),
    "another time": (changed(timestamp="1614265331"), BODY, "no v1 signature fits"),
    "another body": (SENT, BODY + b" ", "no v1 signature fits"),
    "another version": (changed(signature=SIGNATURE.replace("v1", "v2")), BODY, "no v1"),
    "no version": (changed(signature=SIGNATURE.removeprefix("v1,")), BODY, "no v1"),
    "not ASCII": (changed(signature="v1,ü\udcff"), BODY, "no v1"),
    "no number": (changed(timestamp="1614265330.5"), BODY, "not seconds"),
    "other digits": (changed(timestamp="١٦١٤٢٦٥٣٣٠"), BODY, "not seconds"),
    "too long": (changed(timestamp="1" * 12), BODY, "not seconds"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_was_not_signed_like_this_is_refused(kind: str) -> None:
    """Each part of the message is signed, and whatever is odd is refused, never an exception."""
    sent, body, words = REFUSED[kind]
    with pytest.raises(SignatureRefused, match=words):
        standard_webhooks.verify([SECRET], sent, body)


@pytest.mark.parametrize(
    ("seconds", "fits"), [(299, True), (-299, True), (301, False), (-301, False)]
)
def test_old_and_early_messages_are_refused(seconds: int, fits: bool) -> None:  # noqa: FBT001
    """Five minutes either way are tolerated; a replay after that is not."""
    now = AT + timedelta(seconds=seconds)
    if fits:
        assert standard_webhooks.verify([SECRET], SENT, BODY, now=now) == AT
    else:
        with pytest.raises(SignatureRefused, match="over 5 minutes"):
            standard_webhooks.verify([SECRET], SENT, BODY, now=now)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "whsec_", "whsec_%%%", "whsec_ü", SECRET.removeprefix("whsec_")),
        *(f"whsec_{base64.b64encode(bytes(size)).decode()}" for size in (23, 65)),
    ],
)
def test_a_malformed_secret_is_named_but_not_shown(secret: str) -> None:
    """Nothing is signed with a key that could be guessed, and the message holds no secret."""
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        standard_webhooks.key_of(secret)
    assert not secret or len(secret) < 8 or secret not in str(caught.value)
