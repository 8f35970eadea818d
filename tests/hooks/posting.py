"""Posting messages as senders do: with what their platform keeps, and with what proves them."""

import base64
import hashlib
import hmac
import io
import json
import time
from typing import Any

from tests import draw
from tests.conftest import Api
from tests.hooks import Sample

SECRET = "what only this sender knows"
WEBHOOK_KEY = b"a key of 24 bytes or more"
WEBHOOK_SECRET = f"whsec_{base64.b64encode(WEBHOOK_KEY).decode()}"
BEARER = {"kind": "bearer", "secrets": [SECRET]}
AS_BEARER = {"Authorization": f"Bearer {SECRET}"}
PNG = draw.png(8, 8, "teal")
Answer = tuple[int, Any, Any]


async def configure(
    api: Api,
    *ways: dict[str, Any],
    platform: str = "default",
    buckets: tuple[str, ...] = (),
    **settings: Any,
) -> None:
    """Let senders of a platform prove themselves in these ways, and fetch from these buckets."""
    stores = [
        {
            "bucket": bucket,
            "endpoint": "https://store.example.org",
            "access_key_id": "id",
            "secret_access_key": "a secret of the store",
        }
        for bucket in buckets
    ]
    kept = {"hooks": {**settings, "authentication": ways}, "fetching": {"stores": stores}}
    status, body, _ = await api.admin.ask("PATCH", f"/v1/platforms/{platform}", json=kept)
    assert status == 200, body


async def post(
    api: Api, path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
) -> Answer:
    """Post a message to a hook; without an Authorization unless the headers have one."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": "", "Content-Type": "application/json", **(headers or {})}
    return await api.platform.ask("POST", f"/v1/hooks/{path}", data=io.BytesIO(raw), headers=sent)


async def post_sample(api: Api, sample: Sample) -> Answer:
    """Post a sample, as a sender that proves itself by a secret."""
    return await post(api, f"{sample.preset}/default", sample.body, {**sample.headers, **AS_BEARER})


def inline(image: bytes = PNG, **more: Any) -> dict[str, Any]:
    """A platform's own message with the image in it."""
    return {"image": base64.b64encode(image).decode(), **more}


def signed_webhook(
    body: bytes, name: str = "msg_1", *, seconds_ago: int = 0, key: bytes = WEBHOOK_KEY
) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    at = str(int(time.time()) - seconds_ago)
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The header of an HMAC of the body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def basic(name: str, password: str) -> dict[str, str]:
    """The header of a name and a password."""
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}
