"""What a platform keeps for its hooks: refused where it is wrong, and secret where it is shown."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from service.hooks.settings import REVEALED, HookSettings

SECRET = "a secret of a sender"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(bytes(24)).decode()
FULL: dict[str, Any] = {
    "authentication": [
        {"kind": "bearer", "secrets": [SECRET]},
        {"kind": "basic", "username": "minio", "secrets": [SECRET]},
        {"kind": "path", "secrets": [SECRET]},
        {
            "kind": "hmac",
            "secrets": [SECRET],
            "header": "X-Signature",
            "timestamp_header": "X-Time",
        },
        {"kind": "standard-webhooks", "secrets": [WEBHOOK_SECRET]},
    ],
    "generic": {
        "items": "/photos",
        "image_url": "/url",
        "image": "/bytes",
        "bucket": "/b",
        "key": "/k",
        "external_id": "",
        "event_id": "/uuid",
        "metadata": "/a~0b/c~1d",
    },
    "cloudevents_types": ["com.example.photo.uploaded"],
    "tus_url": "https://tus.example.org/files/",
}


def test_settings_survive_their_store_and_show_no_secret() -> None:
    """A dump for the store reads back the same; every other one, and the repr, hide the secrets."""
    told = HookSettings.model_validate(FULL)
    kept = told.model_dump(mode="json", context=REVEALED)
    assert HookSettings.model_validate(kept) == told
    for shown in (told.model_dump_json(), repr(told), str(told.model_dump(mode="json"))):
        assert SECRET not in shown
        assert WEBHOOK_SECRET not in shown


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("generic.image_url", {"generic": {"image_url": "url"}}),
        ("generic.image_url", {"generic": {"image_url": "/a~2"}}),
        ("generic.image", {"generic": {"image": "/" + "x" * 500}}),
        ("generic", {"generic": {"bucket": "/b"}}),
        ("generic.urls", {"generic": {"urls": "/b"}}),
        ("cloudevents.items", {"cloudevents": {"items": "/b"}}),
        ("tus_url", {"tus_url": "file:///srv/uploads"}),
        ("authentication.0", {"authentication": [{"kind": "digest"}]}),
        ("authentication.0.bearer.secrets", {"authentication": [{"kind": "bearer"}]}),
        (
            "authentication.0.bearer.secrets.0",
            {"authentication": [{"kind": "bearer", "secrets": ["short"]}]},
        ),
        (
            "authentication.0.bearer.secrets",
            {"authentication": [{"kind": "bearer", "secrets": [SECRET] * 3}]},
        ),
        (
            "authentication.0.standard-webhooks.secrets.0",
            {"authentication": [{"kind": "standard-webhooks", "secrets": ["whsec_" + "A" * 16]}]},
        ),
        (
            "authentication.0.standard-webhooks.secrets.0",
            {"authentication": [{"kind": "standard-webhooks", "secrets": [SECRET]}]},
        ),
        (
            "authentication.0.hmac.header",
            {"authentication": [{"kind": "hmac", "secrets": [SECRET], "header": "a b"}]},
        ),
    ],
)
def test_settings_that_could_not_work_are_refused(place: str, told: dict[str, Any]) -> None:
    """What is wrong is named by its place, and a secret is not repeated by its refusal."""
    with pytest.raises(ValidationError) as caught:
        HookSettings.model_validate(told)
    places = [".".join(map(str, one["loc"])) for one in caught.value.errors()]
    assert places[0] == place
    assert SECRET not in str(caught.value)
