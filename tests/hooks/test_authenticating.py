"""Only a message that proves itself is accepted, in each of the ways that senders know."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.hooks import Message, authenticating
from service.hooks.authenticating import Authentic, NotAuthentic
from service.hooks.settings import HookSettings

SECRET, OTHER = "a secret of a sender", "the next secret of it"
# From the tests that the libraries of Standard Webhooks share.
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEBHOOK = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
WEBHOOK_BODY = b'{"test": 2432232314}'
SIGNED_AT = 1614265330
# From GitHub's "Validating webhook deliveries", testing the validation.
GITHUB_SECRET, GITHUB_BODY = "It's a Secret to Everybody", b"Hello, World!"
GITHUB_DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
BEARER = {"kind": "bearer", "secrets": [OTHER, SECRET]}
BASIC = {"kind": "basic", "username": "tusd", "secrets": [SECRET]}
PATH = {"kind": "path", "secrets": [SECRET]}
HMAC = {"kind": "hmac", "secrets": [GITHUB_SECRET]}
TIMED = {**HMAC, "header": "X-Signature", "timestamp_header": "X-Time"}
STANDARD = {"kind": "standard-webhooks", "secrets": [WEBHOOK_SECRET]}


def checked(
    *ways: dict[str, Any],
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    at: int = SIGNED_AT,
    path: str | None = None,
) -> Authentic:
    """Check a message at a time, for a platform that allows these ways."""
    return authenticating.check(
        Message.of((headers or {}).items(), body),
        HookSettings.model_validate({"authentication": ways}),
        now=datetime.fromtimestamp(at, UTC),
        path_secret=path,
    )


def basic(name: str, password: str) -> dict[str, str]:
    """The header of a name and a password."""
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def timed(at: str, body: bytes = GITHUB_BODY) -> dict[str, str]:
    """The headers of a sender that signs its time."""
    signed = f"{at}.".encode() + body
    digest = hmac.new(GITHUB_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return {"X-Time": at, "X-Signature": f"sha256={digest}"}


def test_a_bearer_token_old_or_new_is_accepted() -> None:
    """Both secrets of a change are good, whatever the case of the scheme."""
    for secret in (SECRET, OTHER):
        assert checked(BEARER, headers={"Authorization": f"bearer {secret}"}) == Authentic("bearer")


def test_a_name_and_password_are_accepted() -> None:
    """Basic authentication needs the name and the password."""
    assert checked(BASIC, headers=basic("tusd", SECRET)) == Authentic("basic")


def test_a_secret_path_is_accepted() -> None:
    """The last part of the path is the secret."""
    assert checked(PATH, path=SECRET) == Authentic("path")


def test_the_shared_vector_of_standard_webhooks_is_accepted() -> None:
    """Our verification agrees with the libraries', and gives the id to remember."""
    for at in (SIGNED_AT - 300, SIGNED_AT, SIGNED_AT + 300):
        proven = checked(STANDARD, headers=WEBHOOK, body=WEBHOOK_BODY, at=at)
        assert proven == Authentic(
            "standard-webhooks",
            "standard-webhooks:msg_p5jXN8AQM9LWM0D4loKWxJek",
            SIGNED_AT + 300,
        )


def test_one_good_signature_of_several_is_enough() -> None:
    """A sender that changes its secret sends a signature of each; other versions are passed."""
    several = f"v1a,AAAA v1,bm90IGdvb2Q= {WEBHOOK['webhook-signature']}"
    headers = {**WEBHOOK, "webhook-signature": several}
    assert checked(STANDARD, headers=headers, body=WEBHOOK_BODY).replay_id is not None


def test_githubs_example_is_accepted() -> None:
    """Our verification agrees with GitHub's; the signature is the id to remember, for good."""
    headers = {"X-Hub-Signature-256": f"sha256={GITHUB_DIGEST}"}
    proven = checked(HMAC, headers=headers, body=GITHUB_BODY)
    assert proven == Authentic("hmac", f"hmac:{GITHUB_DIGEST}", None)


def test_a_signed_time_is_accepted_within_its_window() -> None:
    """With a time in the signature, a replay needs to be remembered for five minutes only."""
    proven = checked(TIMED, headers=timed(str(SIGNED_AT)), body=GITHUB_BODY)
    assert proven.expires == SIGNED_AT + 300


def test_any_way_that_is_allowed_is_enough() -> None:
    """A platform's senders may differ; the answer says which way it was."""
    assert checked(BEARER, STANDARD, PATH, path=SECRET).kind == "path"


@pytest.mark.parametrize(
    ("way", "headers", "body", "at", "said"),
    [
        (BEARER, {}, b"", 0, "bearer: header Authorization is missing"),
        (BEARER, {"Authorization": "Bearer wrong"}, b"", 0, "is not Bearer and the secret"),
        (BEARER, {"Authorization": SECRET}, b"", 0, "is not Bearer and the secret"),
        (BEARER, {"Authorization": f"Basic {SECRET}"}, b"", 0, "is not Bearer and the secret"),
        (BEARER, {"Authorization": "Bearer \udce9"}, b"", 0, "is not Bearer and the secret"),
        (BASIC, basic("tusd", "wrong"), b"", 0, "is not Basic"),
        (BASIC, basic("other", SECRET), b"", 0, "is not Basic"),
        (BASIC, {"Authorization": "Basic /w=="}, b"", 0, "is not Basic"),
        (BASIC, {"Authorization": "Basic ?"}, b"", 0, "is not Basic"),
        (PATH, {}, b"", 0, "path: the path does not end in the secret"),
        (HMAC, {}, b"", 0, "header X-Hub-Signature-256 is missing"),
        (HMAC, {"X-Hub-Signature-256": GITHUB_DIGEST}, GITHUB_BODY, 0, "is not sha256="),
        (
            *(HMAC, {"X-Hub-Signature-256": f"sha256={GITHUB_DIGEST}"}),
            *(GITHUB_BODY + b" ", 0, "is not sha256= and the signature"),
        ),
        (TIMED, timed("1614265330"), GITHUB_BODY, 301, "is -301 s from the time here; 300 s"),
        (TIMED, timed("1614265330"), GITHUB_BODY, -301, "is +301 s from the time here"),
        (TIMED, {**timed("1614265330"), "X-Time": "1614265331"}, GITHUB_BODY, 0, "is not sha256="),
        (TIMED, timed("soon"), GITHUB_BODY, 0, "is 'soon'; seconds since 1970 are allowed"),
        (TIMED, timed("\u0661"), GITHUB_BODY, 0, "seconds since 1970 are allowed"),
        (STANDARD, {}, WEBHOOK_BODY, 0, "header webhook-id is missing"),
        (STANDARD, WEBHOOK, WEBHOOK_BODY, 301, "over 5 minutes from now"),
        (STANDARD, WEBHOOK, WEBHOOK_BODY, -301, "over 5 minutes from now"),
        (STANDARD, WEBHOOK, WEBHOOK_BODY + b" ", 0, "no v1 signature fits"),
        (STANDARD, {**WEBHOOK, "webhook-id": "msg_2"}, WEBHOOK_BODY, 0, "no v1 signature"),
        (STANDARD, {**WEBHOOK, "webhook-id": "msg.1"}, WEBHOOK_BODY, 0, "no full stop"),
        (
            *(STANDARD, {**WEBHOOK, "webhook-timestamp": "1614265331"}),
            *(WEBHOOK_BODY, 0, "no v1 signature"),
        ),
        (
            *(STANDARD, {**WEBHOOK, "webhook-signature": WEBHOOK["webhook-signature"][3:]}),
            *(WEBHOOK_BODY, 0, "no v1 signature"),
        ),
    ],
)
def test_what_does_not_prove_itself_is_refused(
    way: dict[str, Any], headers: dict[str, str], body: bytes, at: int, said: str
) -> None:
    """A missing, wrong, old or early proof is refused, saying what was looked for."""
    with pytest.raises(NotAuthentic) as caught:
        checked(way, headers=headers, body=body, at=SIGNED_AT + at)
    assert said in str(caught.value)
    assert caught.value.code == "hook_not_authentic"
    assert SECRET not in str(caught.value)
    assert GITHUB_SECRET not in str(caught.value)


def test_a_wrong_path_is_refused() -> None:
    """Another path than the secret one proves nothing."""
    with pytest.raises(NotAuthentic):
        checked(PATH, path=SECRET[:-1])


def test_nothing_configured_accepts_nothing() -> None:
    """A platform without hook authentication has no open door."""
    with pytest.raises(NotAuthentic, match="no authentication is configured"):
        checked(headers={"Authorization": f"Bearer {SECRET}"})


def test_a_refusal_tells_about_every_way() -> None:
    """Who set up several ways sees why none of them fits."""
    with pytest.raises(NotAuthentic, match=r"bearer: .*; hmac: .*; path: "):
        checked(BEARER, HMAC, PATH)


@settings(max_examples=150, deadline=None, database=None)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["authorization", "x-hub-signature-256", "x-signature", "x-time", *WEBHOOK]
        ),
        st.text(st.characters(), max_size=12)
        | st.sampled_from(["Basic /w==", "Bearer ", "\ud800", "9" * 5000, *WEBHOOK.values()]),
    ),
    body=st.binary(max_size=20),
    path=st.none() | st.text(st.characters(), max_size=5) | st.just("\ud800"),
)
def test_anything_else_is_refused(headers: dict[str, str], body: bytes, path: str | None) -> None:
    """Headers and bodies of any kind raise nothing but the refusal, and never get in."""
    with pytest.raises(NotAuthentic) as caught:
        checked(BEARER, BASIC, PATH, HMAC, TIMED, STANDARD, headers=headers, body=body, path=path)
    str(caught.value).encode()
