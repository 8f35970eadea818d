"""Sends every hostile file through the real API and worker to the scripted edits endpoint."""

import asyncio
import hashlib
import io
import sys
import urllib.parse
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from PIL import Image

from service import administering
from service.store import Pool
from service.store.database import Database
from tests.conftest import Api, Caller
from tests.flows import processes
from tests.flows.driving import Owner
from tests.hostile import corpus
from tests.hostile.cases import MARKER, Case
from tests.upstream import Upstream

MAX_GROWTH_MB = 64
MAX_DIFFERENCE = 3.0  # levels of 255, in the mean
NAME = urllib.parse.quote(MARKER + b'"><script>.png')
ENDED_S = 120
AT_ONCE = 16


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """The corpus, made once."""
    return list(corpus.build())


@pytest.mark.usefixtures("working")
async def test_every_file_meets_its_declared_fate(
    api: Api, upstream: Upstream, owner: Owner, cases: list[Case]
) -> None:
    """
    Each file is refused with its code, or ends unreadable, or is seen as its reference shows it.

    None is answered with 5xx, none kills the worker, and no word of their names and metadata is in
    what the upstream received or in what the API serves.
    """
    taken: dict[str, Case] = {}
    files: set[bytes] = set()
    for case in cases:
        files.add(hashlib.sha256(case.data).digest())
        upload = await _sent(api.platform, case)
        if upload is not None:
            taken[upload] = case
            # What is under way at one time stays in memory, here and in the worker.
            await _few_left(owner, AT_ONCE)
    await _few_left(owner, 0)

    received = {hashlib.sha256(call.image).digest(): call.image for call in upstream.calls}
    for upload, case in taken.items():
        row = await api.platform.ask("GET", f"/v1/uploads/{upload}")
        sent = await owner.fetchval("SELECT sent_sha256 FROM attempts WHERE upload_id = $1", upload)
        _check(case, row[1], None if sent is None else received[sent])
        await _check_served(api.platform, row[1], files)
    assert all(MARKER not in call.image + str(call.fields).encode() for call in upstream.calls)
    assert all(MARKER not in str(call.headers).encode() for call in upstream.calls)


@pytest.mark.skipif(sys.platform != "linux", reason="Looks into /proc.")
async def test_the_api_stays_small(
    where: Database, pool: Pool, tmp_path: Path, cases: list[Case]
) -> None:
    """A real API process that takes or refuses the whole corpus grows by less than 64 MB."""
    async with pool.acquire() as conn:
        tokens = await administering.first_tokens(conn, tmp_path / "tokens.json")
    async with (
        processes.serve(where) as (process, url),
        aiohttp.ClientSession() as session,
    ):
        platform = Caller(session, url, tokens["platform"])
        await _sent(platform, cases[0])
        before = _megabytes(process.pid, "VmRSS")
        for case in cases:
            await _sent(platform, case)
        assert _megabytes(process.pid, "VmHWM") - before < MAX_GROWTH_MB


def _megabytes(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if name in line) / 1024


async def _sent(platform: Caller, case: Case) -> str | None:
    """Send a file; gives the upload's id, or None where it was refused as declared."""
    status, body, _ = await platform.ask(
        "POST",
        f"/v1/uploads?external_id={NAME}",
        data=case.data,
        headers={"Content-Type": "image/jpeg"},
    )
    if status == 202:
        assert case.fate in ("shown", "unreadable", "settled"), case.name
        return str(body["id"])
    assert status in (415, 422), (case.name, status, body)
    assert case.fate in (body["code"], "settled"), (case.name, body)
    return None


async def _few_left(owner: Owner, few: int) -> None:
    """Wait until no more than a few uploads have not ended."""
    async with asyncio.timeout(ENDED_S):
        while few < await owner.fetchval(
            "SELECT count(*) FROM uploads WHERE state IN ('queued', 'working')"
        ):
            await asyncio.sleep(0.02)


def _check(case: Case, upload: dict[str, str], sent: bytes | None) -> None:
    """Hold an upload that has ended to its case, and the picture that was sent to the reference."""
    if case.fate == "settled":
        assert upload["outcome"] in ("clean", "not_assessed", "unreadable"), case.name
        return
    expected = case.outcome if case.fate == "shown" else "unreadable"
    assert upload["outcome"] == expected, (case.name, upload["outcome"])
    # The ruleset allows what is clean; nothing else of this corpus may be allowed.
    assert upload["verdict"] == ("allow" if expected == "clean" else "hold"), case.name
    if case.fate == "unreadable":
        assert sent is None, case.name
        return
    assert sent is not None, case.name
    if case.reference is not None:
        assert _difference(sent, case.reference) <= MAX_DIFFERENCE, case.name


def _difference(sent: bytes, reference: Image.Image) -> float:
    shown = np.asarray(Image.open(io.BytesIO(sent)).convert("RGB")).astype(np.int16)
    wanted = np.asarray(reference.convert("RGB")).astype(np.int16)
    assert shown.shape == wanted.shape
    return float(np.abs(shown - wanted).mean())


async def _check_served(
    platform: Caller, upload: dict[str, dict[str, str | None]], files: set[bytes]
) -> None:
    """No received byte is served: each picture is one of ours, of a type that runs nowhere."""
    for path in filter(None, upload["images"].values()):
        status, body, headers = await platform.ask("GET", urllib.parse.urlsplit(path).path)
        assert status == 200
        assert MARKER not in body
        assert hashlib.sha256(body).digest() not in files
        assert headers["Content-Type"] in ("image/png", "image/jpeg", "image/webp")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in headers["Content-Security-Policy"]
