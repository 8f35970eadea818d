"""Load through the public API, and the client's own book of what became of each operation."""

import asyncio
import base64
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import aiohttp
from PIL import Image

from tests import draw

CLIENTS = 5
PAUSE_S = 0.12
PATIENCE_S = 60.0
# Asked of the API under faults; longer than any of them lasts.
TIMEOUT = aiohttp.ClientTimeout(total=8)


@dataclass(slots=True)
class Operation:
    """
    One upload as its client knows it; ``name`` is its external id.

    ``ok``: an answer said so.  ``failed``: an answer refused it for good.  ``unknown``: no answer
    came, or one that says nothing of what was stored; with a key it is asked again, until it is ok.
    """

    name: str
    platform: str
    image: bytes
    key: str | None
    shape: str
    result: Literal["ok", "failed", "unknown"] = "unknown"
    upload: str | None = None
    tries: int = 0

    @property
    def sha256(self) -> bytes:
        return sha256(self.image).digest()


@dataclass(slots=True)
class Load:
    """
    Clients of several platforms (name to token); ``addresses`` tells where APIs live now.

    Each of them pauses for ``pause_s`` seconds between two uploads, on average.  ``book`` grows as
    it happens; ``faults`` are answers that must not be.
    """

    tokens: dict[str, str]
    addresses: Callable[[], Sequence[str]]
    pause_s: float = PAUSE_S
    book: list[Operation] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unanswered: int = 0
    refused: int = 0
    reads: int = 0

    async def run(self, seed: int, going: Callable[[], bool]) -> None:
        """Upload and read while it is going; then ask on until every key has its answer."""
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True), timeout=TIMEOUT
            ) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(CLIENTS):
                tasks.create_task(self._client(session, f"{seed}-{number}", going))
            tasks.create_task(self._reader(session, seed, going))

    async def state_of(self, upload: str) -> str | None:
        """Ask as the receiver of a callback does; None if nobody answers."""
        op = next((one for one in self.book if one.upload == upload), None)
        if op is None:
            return None
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            answer = await self._ask(session, op.platform, "GET", f"/v1/uploads/{upload}")
        return str(answer[1]["state"]) if answer and answer[0] == 200 else None

    async def _client(
        self, session: aiohttp.ClientSession, client: str, going: Callable[[], bool]
    ) -> None:
        chosen = random.Random(client)
        loop = asyncio.get_running_loop()
        count = 0
        while going():
            op = self._next(chosen, f"{client}-{count}")
            self.book.append(op)
            await self._submit(session, op, loop.time() + PATIENCE_S)
            if op.key and chosen.random() < 0.1:
                await self._submit(session, op, loop.time() + PATIENCE_S)
            count += 1
            await asyncio.sleep(chosen.expovariate(1 / self.pause_s))

    def _next(self, chosen: random.Random, name: str) -> Operation:
        platform = chosen.choice(sorted(self.tokens))
        if self.book and chosen.random() < 0.2:
            image = chosen.choice(self.book).image
        else:
            image = picture(chosen)
        key = f"key-{name}" if chosen.random() < 0.8 else None
        return Operation(name, platform, image, key, chosen.choice(["raw", "json", "multipart"]))

    async def _submit(self, session: aiohttp.ClientSession, op: Operation, until: float) -> None:
        """Send it until there is an answer that settles it; without a key, once."""
        while True:
            op.tries += 1
            answer = await self._ask(session, op.platform, "POST", "/v1/uploads", **request_of(op))
            if self._settled(op, answer) or op.key is None:
                return
            if asyncio.get_running_loop().time() > until:
                self.faults.append(f"operation {op.name} has no answer after {PATIENCE_S:g} s")
                return
            await asyncio.sleep(0.2)

    def _settled(self, op: Operation, answer: tuple[int, Any] | None) -> bool:
        """Write what the answer says into the book; tell whether it settles the operation."""
        if answer is None:
            self.unanswered += 1
            return False
        status, body = answer
        if status in (200, 202):
            if op.upload not in (None, body["id"]):
                self.faults.append(f"operation {op.name} is {op.upload} and {body['id']}")
            op.result, op.upload = "ok", body["id"]
            return True
        if status == 503 or (status == 409 and body["code"] == "idempotency_in_progress"):
            self.refused += 1
            return False
        self.faults.append(f"operation {op.name} was answered {status}: {body}")
        op.result = "failed"
        return True

    async def _reader(
        self, session: aiohttp.ClientSession, seed: int, going: Callable[[], bool]
    ) -> None:
        """Read uploads at any moment: what is done is there whole."""
        chosen = random.Random(f"reader/{seed}")
        while going():
            await asyncio.sleep(chosen.expovariate(1 / PAUSE_S))
            if known := [one for one in self.book[-40:] if one.upload]:
                op = chosen.choice(known)
                answer = await self._ask(session, op.platform, "GET", f"/v1/uploads/{op.upload}")
                if answer and answer[0] == 200:
                    await self._check(session, op, answer[1])
                elif answer and answer[0] != 503:
                    self.faults.append(f"upload {op.upload} was read with {answer}")

    async def _check(
        self, session: aiohttp.ClientSession, op: Operation, view: dict[str, Any]
    ) -> None:
        self.reads += 1
        done = view["state"] == "done"
        whole = (view["description"] is not None, view["images"]["edited"] is not None)
        if whole != (done, done):
            self.faults.append(f"upload {op.upload} is torn: {view}")
        if done:
            path = f"/v1/uploads/{op.upload}/images/edited"
            answer = await self._ask(session, op.platform, "GET", path)
            if answer and answer[0] not in (200, 503):
                self.faults.append(f"the edited image of {op.upload} was read with {answer[0]}")

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        platform: str,
        method: str,
        path: str,
        **request: Any,
    ) -> tuple[int, Any] | None:
        """Ask any API that lives; None if no answer came."""
        headers = {"Authorization": f"Bearer {self.tokens[platform]}"} | request.pop("headers", {})
        addresses = self.addresses()
        if not addresses:
            await asyncio.sleep(0.1)
            return None
        url = addresses[len(self.book) % len(addresses)] + path
        try:
            async with session.request(method, url, headers=headers, **request) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError):
            return None
        return answer.status, json.loads(body) if answer.content_type.endswith("json") else body


def picture(chosen: random.Random) -> bytes:
    """Draw a small picture that no other one resembles."""
    cells = Image.frombytes("RGB", (6, 6), chosen.randbytes(6 * 6 * 3))
    return draw.encoded(cells.resize((48, 48), Image.Resampling.NEAREST))


def request_of(op: Operation) -> dict[str, Any]:
    """Shape the request, in the way that was drawn for this operation."""
    headers = {"Idempotency-Key": op.key} if op.key else {}
    if op.shape == "json":
        image = base64.b64encode(op.image).decode()
        return {"headers": headers, "json": {"image": image, "external_id": op.name}}
    if op.shape == "multipart":
        form = aiohttp.FormData({"external_id": op.name})
        form.add_field("image", op.image, filename="a.png", content_type="image/png")
        return {"headers": headers, "data": form}
    return {
        "headers": headers | {"Content-Type": "image/png"},
        "data": op.image,
        "params": {"external_id": op.name},
    }
