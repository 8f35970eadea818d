"""Killing one part after another under a running `up`: it mends itself and nothing is lost."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import draw
from tests.up import driving
from tests.up.driving import Up, until


def upload(up: Up, shade: int) -> str:
    """Send a picture of its own; it must be accepted."""
    answer = up.ask("/v1/uploads", data=draw.png(48, 36, (shade, 90, 160)))
    assert answer.get("state") == "queued", answer
    return str(answer["id"])


def wait_done(up: Up, uploads: list[str]) -> None:
    waiting = set(uploads)

    def all_done() -> bool:
        waiting.difference_update(
            [one for one in waiting if up.ask(f"/v1/uploads/{one}").get("state") == "done"]
        )
        return not waiting

    until(all_done, f"end of {len(uploads)} uploads")


@contextmanager
def asking(up: Up) -> Iterator[list[Any]]:
    """Ask for health without pause; gives the answers, exceptions among them."""
    answers: list[Any] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.02):
            try:
                answers.append(up.ask("/healthz"))
            except OSError as error:
                answers.append(error)

    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(ask)
        try:
            yield answers
        finally:
            stop.set()


def postgres(up: Up) -> int | None:
    found = driving.family(up.process.pid)
    return next((pid for pid, words in found.items() if words[0].endswith("/postgres")), None)


def test_requests_wait_while_serve_restarts(service: Up) -> None:
    """The socket outlives the process: at most what it was answering is cut, none is refused."""
    victim = until(lambda: service.role("serve"), "serve")
    with asking(service) as answers:
        until(lambda: len(answers) > 5, "answers before")
        os.kill(victim, signal.SIGKILL)
        until(lambda: service.role("serve") not in (None, victim), "new serve")
        seen = len(answers)
        until(lambda: len(answers) > seen + 5, "answers after")
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    refused = [error for error in failed if "refused" in str(error)]
    assert refused == []
    # Two callers, each with at most one request in the killed process or in its queue of accepted.
    assert len(failed) <= 2, failed


@pytest.mark.parametrize("part", ["work", "local", "postgres"])
def test_killed_part_comes_back_and_no_upload_is_lost(service: Up, part: str) -> None:
    """What was accepted before and after the kill ends done, without anybody's help."""

    def find() -> int | None:
        return postgres(service) if part == "postgres" else service.role(part)

    victim = until(find, part)
    shade = {"work": 10, "local": 20, "postgres": 30}[part]
    before = [upload(service, shade + number) for number in range(3)]
    os.kill(victim, signal.SIGKILL)
    until(lambda: find() not in (None, victim), f"new {part}")
    until(lambda: service.ask("/readyz").get("status") == "ok", "readiness")
    after = [upload(service, shade + number) for number in range(3, 6)]
    wait_done(service, before + after)
    (row,) = service.query("SELECT count(*) FROM records WHERE upload_id = ANY($1)", before + after)
    assert row["count"] == 6


@pytest.mark.slow
def test_nothing_of_up_outlives_its_kill(tmp_path: Path) -> None:
    """After kill -9 all its processes go within seconds, and the folder can be used again."""
    up = Up.start(tmp_path / "data")
    accepted = [upload(up, 60 + number) for number in range(4)]
    family = driving.family(up.process.pid)
    assert {"serve", "work", "local"} <= {word for words in family.values() for word in words}
    assert postgres(up) in family

    up.end(signal.SIGKILL)

    until(lambda: not driving.alive(list(family)), "end of the family", timeout_s=10)
    again = Up.start(tmp_path / "data")
    try:
        wait_done(again, accepted)
    finally:
        assert again.end(signal.SIGTERM).code == 0
