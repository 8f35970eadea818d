"""Logs: one line or one JSON object an event, and no local variable in any traceback."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "sk-live-0123"
PROGRAM = """
import logging, sys
from service import log

log.configure(sys.argv[1])

def inner(key, picture):
    local = {"key": key}
    raise ValueError("it broke")

def outer():
    secret = "".join(["sk-", "live-", "0123"])
    inner(secret, secret.encode())

with log.bound(upload_id="u-1"):
    log.get().info("event_of_ours", count=3, text="a b", many=[1, 2])
    logging.getLogger("library").warning("a word of %s", "theirs")
    try:
        outer()
    except ValueError:
        log.get().exception("broke")
        logging.getLogger("library").exception("library_broke")
log.get().debug("not_shown")
logging.getLogger("library").info("not_shown")
log.get().info("unbound")
print("result")
"""


def run(style: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, style], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    """What the program logs in the style json."""
    return [json.loads(line) for line in run("json")[1].splitlines()]


@pytest.mark.parametrize("style", ["json", "console"])
def test_traceback_shows_no_local_variable(style: str) -> None:
    """Local variables hold keys and pictures; neither our lines nor the libraries' show them."""
    _, said = run(style)
    assert "it broke" in said
    assert "inner" in said
    assert SECRET not in said
    assert "not_shown" not in said


@pytest.mark.parametrize("style", ["json", "console"])
def test_logs_go_to_stderr_alone(style: str) -> None:
    """What a command prints stays free for programs to read."""
    assert run(style)[0] == "result\n"


def test_json_lines_carry_event_level_time_and_facts(events: list[dict[str, Any]]) -> None:
    """Each line is an object; facts keep their types."""
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(event) for event in events))
    assert events[0] | {"timestamp": ""} == {
        "event": "event_of_ours",
        "level": "info",
        "timestamp": "",
        "upload_id": "u-1",
        "count": 3,
        "text": "a b",
        "many": [1, 2],
    }
    assert events[0]["timestamp"].endswith("Z")


def test_libraries_lines_have_the_same_shape(events: list[dict[str, Any]]) -> None:
    """What a library logs is a JSON object too, with the ids that are bound."""
    theirs = events[1]
    assert (theirs["event"], theirs["level"], theirs["upload_id"]) == (
        "a word of theirs",
        "warning",
        "u-1",
    )


def test_bound_ids_end_with_their_block(events: list[dict[str, Any]]) -> None:
    """An event after the block carries no id of it."""
    assert events[-1]["event"] == "unbound"
    assert "upload_id" not in events[-1]


def test_console_lines_name_the_event_and_its_facts() -> None:
    """One line an event, without colours where nobody looks."""
    first = run("console")[1].splitlines()[0]
    assert "event_of_ours" in first
    assert "count=3" in first
    assert "upload_id=u-1" in first
    assert "\x1b" not in first
