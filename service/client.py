"""
The service as an integrator's program uses it: typed, async, and patient where that is safe.

::

    async with Client("https://moderation.example", token) as client:
        upload = await client.submit(Path("photo.jpg"), ruleset="privacy", wait_s=20)
        if not upload.ended:
            upload = await client.wait(upload.id, timeout_s=300)
        if upload.verdict == "allow_edited":
            picture, media_type = await client.image(upload.id, "edited")
"""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from pydantic import ValidationError

from service import standard_webhooks
from service.answers import Callback, Description, Finding, Ruleset, Upload
from service.asking import OBJECT, ClientError, Line, NoAnswer, ProblemError, jittered
from service.standard_webhooks import SignatureRefused

__all__ = [
    "Callback",
    "Client",
    "ClientError",
    "Description",
    "Finding",
    "NoAnswer",
    "ProblemError",
    "Ruleset",
    "SignatureRefused",
    "Upload",
    "verify_callback",
]

# The service lets a request wait for 60 s at most, and a proxy before it often for less.
LONG_POLL_S = 30


def verify_callback(
    headers: Mapping[str, str],
    body: bytes,
    secrets: str | Sequence[str],
    *,
    now: datetime | None = None,
) -> Callback:
    """
    Check that a request came from the service just now, and read it.

    ::

        callback = verify_callback(request.headers, await request.read(), [new_secret, old_secret])
        if callback.id not in seen: ...

    Args:
        headers: All of the request; the case of names does not matter.
        body: The bytes as they came: parsed and written again, they would not fit the signature.
        secrets: The endpoint's secret, or several of which one must fit.
        now: When it came; this machine's clock if None.  300 s either way are tolerated.

    Raises:
        SignatureRefused: Not signed with any of the secrets, or not now; the message tells which.
        ValueError: A secret is malformed or none was given, or what was signed is no callback.

    Source: Standard Webhooks 1.0.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    tried = [secrets] if isinstance(secrets, str) else secrets
    signed_at = standard_webhooks.verify(tried, sent, body, now or datetime.now(UTC))
    message = OBJECT.validate_json(body)
    facts = {"id": sent["webhook-id"], "signed_at": signed_at, "raw": message}
    return Callback.model_validate({**message, **facts})


class Client(Line):
    """
    The service at one address, with one token; open it as a context manager.

    What passes (no connection, 429, 502, 503, 504) is asked again for up to ``patience_s`` seconds,
    later if ``Retry-After`` says so, and then raised.  An upload sent again has the same
    Idempotency-Key, so it is one upload.

    Every method raises ``ProblemError`` where the service refuses, and ``NoAnswer`` where nothing
    comes back that it would say.
    """

    async def submit(
        self,
        image: bytes | Path | str,
        *,
        ruleset: str | None = None,
        external_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait_s: int = 0,
    ) -> Upload:
        """
        Send one image; when this returns, the service will not lose it.

        ::

            upload = await client.submit(picture_bytes, external_id="post-4711")

        Args:
            image: Its bytes, a file, or a web address (str) that the service is to fetch it from.
            metadata: A JSON object that is kept and given back.
            idempotency_key: One that outlives this process lets the next one ask again; made if
                None.
            wait_s: Up to 60: the answer is the finished upload if it ends in this time.

        Raises:
            OSError: The file cannot be read.
            ValueError: A str that is no web address.
        """
        fields = {"ruleset": ruleset, "external_id": external_id}
        fields = {name: value for name, value in fields.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        data = await asyncio.to_thread(image.read_bytes) if isinstance(image, Path) else image
        if isinstance(data, bytes) and not metadata:
            # What it is, the service finds out by looking at the bytes.
            headers["Content-Type"] = "image/unknown"
            path, body = f"/v1/uploads?{urlencode(fields)}", data
        else:
            headers["Content-Type"] = "application/json"
            path = "/v1/uploads"
            body = json.dumps({**_spelt(data), **fields, "metadata": dict(metadata or {})}).encode()
        return self._shown(await self.json("POST", path, data=body, headers=headers))

    async def upload(self, upload: UUID | str) -> Upload:
        """Ask how an upload is now."""
        return self._shown(await self.json("GET", f"/v1/uploads/{upload}"))

    async def wait(self, upload: UUID | str, *, timeout_s: float | None = None) -> Upload:
        """
        Wait until an upload has ended; the service lets requests wait, so it is not asked often.

        Raises:
            TimeoutError: It has not; the upload goes on, and may be waited for again.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ended(upload)
        except TimeoutError as error:
            raise TimeoutError(f"upload {upload} has not ended within {timeout_s} s") from error

    async def records(self, **filters: str | int | datetime | None) -> AsyncIterator[Upload]:
        """
        Give every upload that has ended and fits the filters, the newest first, page by page.

        ::

            async for upload in client.records(verdict="hold", min_severity=3):
                print(upload.id, upload.description)

        The filters are those of ``GET /v1/records``; ``limit`` is the size of a page.  The token's
        role must be moderator.
        """
        query = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in filters.items()
            if value is not None
        }
        while True:
            page = await self.json("GET", f"/v1/records?{urlencode(query)}")
            for item in page["items"]:
                yield self._shown(item)
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    async def image(self, upload: UUID | str, name: str) -> tuple[bytes, str]:
        """Fetch one of an upload's pictures (``original``, ``edited``): bytes and media type."""
        reply = await self.ask("GET", f"/v1/uploads/{upload}/images/{quote(name, safe='')}")
        return reply.body, reply.headers.get("Content-Type", "")

    async def _ended(self, upload: UUID | str) -> Upload:
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            await self.ask(
                "GET", f"/v1/uploads/{upload}/gate", headers={"Prefer": f"wait={LONG_POLL_S}"}
            )
            found = await self.upload(upload)
            if found.ended:
                return found
            # A service that is about to stop lets nobody wait, and must not be asked in a loop.
            await asyncio.sleep(jittered((clock() - began) / 10))

    def _shown(self, answer: dict[str, Any]) -> Upload:
        try:
            return Upload.model_validate({**answer, "raw": answer})
        except ValidationError as error:
            raise NoAnswer(f"{self.url} is not this service: {error}", passing=False) from error


def _spelt(image: bytes | str) -> dict[str, str]:
    """Say in JSON which image is meant."""
    if isinstance(image, bytes):
        return {"image": base64.b64encode(image).decode()}
    if not image.startswith(("http://", "https://")):
        raise ValueError(f"{image[:100]!r} is no http(s) address; give a file as a Path")
    return {"image_url": image}
