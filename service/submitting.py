"""Sending files through a running service, as any integrator would: over its public API."""

import asyncio
import mimetypes
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from service.errors import WorkFailed

PARALLEL = 8
POLL_S = 0.5
# A service that restarts, or is over its limits, is asked again for so long.
PATIENCE_S = 60.0
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".mpo"})


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
            jobs += [Job(one, str(one.relative_to(path)), ruleset) for one in found]
        elif path.is_file():
            jobs.append(Job(path, path.name, ruleset))
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

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=120),
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
        """

        async def one(job: Job) -> dict[str, Any]:
            item = await self._send(job)
            while wait and item.get("state") in ("queued", "working"):
                await asyncio.sleep(POLL_S)
                item = _item(job, await self._json("GET", f"/v1/uploads/{item['id']}"))
            finished(item)
            return item

        return list(await asyncio.gather(*(one(job) for job in jobs)))

    async def image(self, path: str) -> tuple[bytes, str]:
        """Fetch one of an upload's pictures: its bytes and its media type."""
        async with self._places, self._session.get(self._url + path) as response:
            response.raise_for_status()
            return await response.read(), response.content_type

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
        answer = await self._json("POST", f"/v1/uploads{query}", data=data, headers=headers)
        return _item(job, answer)

    async def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask, again where that is safe; a problem is returned like any answer."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                async with (
                    self._places,
                    self._session.request(method, self._url + path, **request) as response,
                ):
                    if response.status not in (429, 503):
                        answer: dict[str, Any] = await response.json(content_type=None)
                        return answer
                    reason = f"HTTP {response.status}"
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                reason = str(error) or type(error).__name__
            if asyncio.get_running_loop().time() > deadline:
                raise WorkFailed(f"{self._url} does not answer: {reason}")
            await asyncio.sleep(POLL_S)


def _item(job: Job, answer: dict[str, Any]) -> dict[str, Any]:
    if "id" not in answer:
        return {"path": job.shown, "problem": answer}
    return {"path": job.shown, **answer}
