"""The other ends: an upstream that signs its answers, and receivers that forget nothing."""

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256

from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.upstream import SENT, Call, answered, base64_of, cut, described, description, text

# What a call asked with: the digests of picture and prompt, and the model.
Asked = tuple[bytes, bytes, str]


@dataclass(slots=True)
class Answering:
    """
    Answers each picture with itself and a description that names it by its digest.

    ``asked`` counts all calls; ``poisonous`` is the share of answers that are wrong in some way,
    of which ``poisoned`` counts those given.
    """

    asked: Counter[Asked] = field(default_factory=Counter)
    poisonous: float = 0.0
    poisoned: int = 0
    chosen: random.Random = field(default_factory=random.Random)
    _other: bytes = b""

    async def __call__(self, call: Call, request: web.Request) -> web.StreamResponse:
        sent = sha256(call.image).digest()
        self.asked[sent, sha256(call.prompt.encode()).digest(), call.fields["model"]] += 1
        other, self._other = self._other, call.image
        if other and other != call.image and self.chosen.random() < self.poisonous:
            self.poisoned += 1
            return await self._poison(sent, other, call, request)
        return await described(alt_text=sent.hex())(call, request)

    async def _poison(
        self, sent: bytes, other: bytes, call: Call, request: web.Request
    ) -> web.StreamResponse:
        """Answer wrongly; ``other`` is the picture of the call before this one."""
        good = json.dumps(description(alt_text=sent.hex()))
        answer = self.chosen.choice(
            [
                described(summary="\0", alt_text=sent.hex()),
                answered(good[:-20], SENT),
                answered('{"verdict": "allow"}', SENT),
                answered(good, base64_of(other)),
                answered(good, base64_of(call.image[:-30])),
                text("[]"),
                cut(),
            ]
        )
        return await answer(call, request)


@dataclass(slots=True)
class Inbox:
    """
    Keeps every message: id, upload and body, and what was wrong when it came.

    ``secrets`` are those of the endpoints, by the path of each.  ``state_of`` asks the service
    what an upload's state is, at the moment its message arrives; None if nobody answers.  ``came``
    counts the messages, ``asked_back`` the answers.
    """

    state_of: Callable[[str], Awaitable[str | None]]
    secrets: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    of_upload: dict[str, set[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    came: int = 0
    asked_back: int = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.came += 1
        name = request.headers["webhook-id"]
        try:
            Webhook(self.secrets[request.path]).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.faults.append(f"message {name} is not signed: {error}")
        message = json.loads(body)
        upload = message["data"]["id"]
        self.bodies.setdefault(name, set()).add(body)
        self.of_upload.setdefault(upload, set()).add(name)
        state = await self.state_of(upload)
        if state is not None:
            self.asked_back += 1
            if state != message["data"]["state"]:
                told = message["data"]["state"]
                self.faults.append(f"upload {upload} was told to be {told} while it was {state}")
        return web.Response(status=204)
