"""Sending files through a running service, as any integrator would: over its public API."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.client import Client, NoAnswer, ProblemError
from service.errors import InputRefused, WorkFailed

# Files that are in memory at once, and uploads that are waited for at once, a connection each.
SENT_AT_ONCE = 8
AWAITED_AT_ONCE = 64
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


@contextlib.asynccontextmanager
async def opened(url: str, token: str) -> AsyncIterator[Client]:
    """
    Open a client for a command; what ends the command is said in the command's words.

    Raises:
        WorkFailed: Nothing answers there, or what answers is not the service or refuses us.
        InputRefused: The service refuses what it was sent.
    """
    async with Client(url, token) as client:
        try:
            yield client
        except ProblemError as error:
            if error.status in (401, 403):
                raise WorkFailed(f"{client.url} refuses the token: {error.detail}") from error
            if error.passing:
                raise WorkFailed(f"{client.url} has no time: {error.detail}") from error
            raise InputRefused(error.code, error.detail, errors=error.errors) from error
        except NoAnswer as error:
            hint = "; start it with `moderation up`, or name another with --url or --data-dir"
            raise WorkFailed(f"{error}{hint if error.passing else ''}") from error


async def submit(
    client: Client, jobs: Sequence[Job], *, wait: bool, finished: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """
    Send every file; with ``wait``, until each has ended.

    Args:
        finished: Told each item as it is done with, in any order.

    Returns:
        In the order of the jobs, each upload with its ``path``; for a file that was refused,
        ``path`` and the ``problem``.
    """
    sending, waiting = asyncio.Semaphore(SENT_AT_ONCE), asyncio.Semaphore(AWAITED_AT_ONCE)

    async def one(job: Job) -> dict[str, Any]:
        async with waiting:
            async with sending:
                item = await _send(client, job)
            if wait and item.get("state") in ("queued", "working"):
                item |= (await client.wait(item["id"])).raw
        finished(item)
        return item

    return list(await asyncio.gather(*(one(job) for job in jobs)))


async def _send(client: Client, job: Job) -> dict[str, Any]:
    try:
        data = await asyncio.to_thread(job.path.read_bytes)
    except OSError as error:
        detail = f"cannot read the file: {error.strerror}"
        return {"path": job.shown, "problem": {"code": "file_unreadable", "detail": detail}}
    try:
        upload = await client.submit(data, ruleset=job.ruleset, external_id=job.shown[-200:])
    except ProblemError as error:
        # What is wrong with us or with the service would be the same for every file.
        if error.status in (401, 403, 503):
            raise
        facts = {name: getattr(error, name) for name in ("status", "code", "detail", "errors")}
        return {"path": job.shown, "problem": facts}
    return {"path": job.shown, **upload.raw}


def _shown(path: Path) -> str:
    """Spell a path so that it can be printed and sent, whatever its bytes are."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
