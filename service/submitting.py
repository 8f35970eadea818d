"""Sending files through a running service, as any integrator would: over its public API."""

import asyncio
import mimetypes
import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp

from service.errors import WorkFailed

PARALLEL = 8
POLL_S = 0.5
# A service that restarts, or is over its limits, is asked again for so long...
PATIENCE_S = 60.0
# ...but one that has not answered yet is more likely not there at all.
FIRST_PATIENCE_S = 5.0
CONNECT_S = 10.0
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".mpo"})

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to send; ``shown`` is how it is called in what is printed."""

    path: Path
    shown: str
    ruleset: str | None = None


def find(paths: Sequence[Path], ruleset: str | None) -> list[Job]:
    """
    Find the files to send: each file named, and the pictures in each folder, recursively.

    Raises:
        WorkFailed: A path that does not exist, or nothing to send.
    """
    jobs: list[Job] = []
    for path in paths:
        if path.is_dir():
            found = sorted(
                one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in SUFFIXES
            )
            jobs += [Job(one, _shown(one.relative_to(path)), ruleset) for one in found]
        elif path.is_file():
            jobs.append(Job(path, _shown(Path(path.name)), ruleset))
        elif path.exists():
            raise WorkFailed(f"{path} is neither a file nor a folder")
        else:
            raise WorkFailed(f"{path} does not exist")
    if not jobs:
        raise WorkFailed(f"no pictures found; looked for files with {', '.join(sorted(SUFFIXES))}")
    return jobs


class Client:
    """The service at one address, with one token; open it as a context manager."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._places = asyncio.Semaphore(PARALLEL)
        self._answered = False

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=120, sock_connect=CONNECT_S),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def submit(
        self, jobs: Sequence[Job], *, wait: bool, finished: Callable[[dict[str, Any]], None]
    ) -> list[dict[str, Any]]:
        """
        Send every file; with ``wait``, until each has ended.

        Args:
            finished: Told each item as it is done with, in any order.

        Returns:
            In the order of the jobs, each upload with its ``path``; for a file that was refused,
            ``path`` and the ``problem``.

        Raises:
            WorkFailed: Nothing answers there, or what answers is not the service or refuses us.
        """

        async def one(job: Job) -> dict[str, Any]:
            item = await self._send(job)
            while wait and item.get("state") in ("queued", "working"):
                await asyncio.sleep(POLL_S)
                item = _item(job, await self.json("GET", f"/v1/uploads/{item['id']}"))
            finished(item)
            return item

        return list(await asyncio.gather(*(one(job) for job in jobs)))

    async def image(self, path: str) -> tuple[bytes, str]:
        """Fetch one of an upload's pictures: its bytes and its media type."""

        async def read(response: aiohttp.ClientResponse) -> tuple[bytes, str]:
            if response.status != 200:
                raise WorkFailed(f"{self._url}{path}: HTTP {response.status}")
            return await response.read(), response.content_type

        return await self._ask(read, "GET", path)

    async def _send(self, job: Job) -> dict[str, Any]:
        try:
            data = await asyncio.to_thread(job.path.read_bytes)
        except OSError as error:
            detail = f"cannot read the file: {error.strerror}"
            return {"path": job.shown, "problem": {"code": "file_unreadable", "detail": detail}}
        query = f"?external_id={quote(job.shown[-200:], safe='')}"
        if job.ruleset is not None:
            query += f"&ruleset={quote(job.ruleset, safe='')}"
        kind = mimetypes.guess_type(job.path.name)[0] or ""
        headers = {
            "Content-Type": kind if kind.startswith("image/") else "image/unknown",
            # A retry after a lost answer must not become a second upload.
            "Idempotency-Key": str(uuid.uuid4()),
        }
        answer = await self.json("POST", f"/v1/uploads{query}", data=data, headers=headers)
        return _item(job, answer)

    async def json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask for a JSON object; a problem is returned like any answer."""
        return await self._ask(self._object, method, path, **request)

    async def _object(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        try:
            answer = await response.json(content_type=None)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise WorkFailed(f"{self._url} is not this service: it answers without a JSON object")
        if response.status in (401, 403):
            # It would be the same for every file.
            raise WorkFailed(f"{self._url} refuses the token: {answer.get('detail')}")
        return answer

    async def _ask(
        self,
        read: Callable[[aiohttp.ClientResponse], Awaitable[Answer]],
        method: str,
        path: str,
        **request: Any,
    ) -> Answer:
        """Ask, and again for a while if the service is away or busy: a retry changes nothing."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            try:
                async with (
                    self._places,
                    self._session.request(method, self._url + path, **request) as response,
                ):
                    self._answered = True
                    if response.status not in (429, 503):
                        return await read(response)
                    reason = f"HTTP {response.status}"
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                reason = _reason(error)
            except TimeoutError:
                reason = "no answer in time"
            if clock() - began > (PATIENCE_S if self._answered else FIRST_PATIENCE_S):
                raise WorkFailed(
                    f"{self._url} does not answer ({reason}); "
                    "start it with `moderation up`, or name another with --url or --data-dir"
                )
            await asyncio.sleep(POLL_S)


def _shown(path: Path) -> str:
    """Spell a path so that it can be printed and sent, whatever its bytes are."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _reason(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error) or type(error).__name__


def _item(job: Job, answer: dict[str, Any]) -> dict[str, Any]:
    if "id" not in answer:
        return {"path": job.shown, "problem": answer}
    return {"path": job.shown, **answer}
