"""Sending files and folders from a shell."""

import json
import os
import signal
import socket
import subprocess
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service import asking
from tests import draw
from tests.up import driving, photos
from tests.up.driving import Ended, Up, until

PHOTOS = 20


def submit(up: Up, *arguments: object, **how: Any) -> Ended:
    return driving.run("submit", "--data-dir", up.data_dir, *arguments, **how)


def items(done: Ended) -> list[dict[str, Any]]:
    document = json.loads(done.out)
    assert list(document) == ["items"]
    found: list[dict[str, Any]] = document["items"]
    return found


def begun(up: Up, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        driving.command("submit", "--data-dir", up.data_dir, *arguments),
        env=driving.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def moment(up: Up) -> datetime:
    (row,) = up.query("SELECT now()")
    found: datetime = row["now"]
    return found


def ended(up: Up, since: datetime, *, ago_s: int = 0) -> int:
    """Count the uploads received since then that ended at least so long ago."""
    (row,) = up.query(
        """
        SELECT count(*) FROM uploads
         WHERE received_at >= $1 AND finished_at <= now() - make_interval(secs => $2)
        """,
        since,
        ago_s,
    )
    return int(row["count"])


@pytest.mark.slow
def test_all_photos_end_although_the_worker_is_killed_twice(service: Up, tmp_path: Path) -> None:
    """Twenty photos come back judged, each with exactly one record and one callback."""
    sent = photos.write(tmp_path, PHOTOS)
    start = moment(service)
    with begun(service, tmp_path, "--wait", "--json") as process:
        for progress in (3, 8):
            until(partial(lambda least: ended(service, start) >= least, progress), "progress")
            victim = until(lambda: service.role("work"), "worker")
            os.kill(victim, signal.SIGKILL)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found = items(Ended(0, out, err))
    assert {item["path"] for item in found} == {str(path.relative_to(tmp_path)) for path in sent}
    assert {item["state"] for item in found} == {"done"}
    rows = service.query(
        """
        SELECT (SELECT count(*) FROM records WHERE upload_id = uploads.id) AS records,
               (SELECT count(*) FROM callbacks WHERE upload_id = uploads.id) AS callbacks,
               (SELECT count(*) FROM attempts WHERE upload_id = uploads.id) AS attempts
          FROM uploads
         WHERE id = ANY($1)
        """,
        [item["id"] for item in found],
    )
    assert [(row["records"], row["callbacks"]) for row in rows] == [(1, 1)] * PHOTOS
    # At most two of the calls of any photo fell to a kill.
    assert max(row["attempts"] for row in rows) <= 3


@pytest.mark.slow
def test_table_lists_each_photo(service: Up, album: Path) -> None:
    """Without --json a table says what came of each."""
    done = submit(service, album, "--wait")
    assert done.code == 0, done.err
    head, rule, *rows = done.out.splitlines()
    assert head.split() == ["picture", "outcome", "verdict", "findings"]
    assert set(rule) == {"-", " "}
    assert [row.split()[0] for row in rows] == sorted(row.split()[0] for row in rows)
    assert len(rows) == 6
    assert done.complaints == []


def test_without_wait_the_answer_is_what_was_accepted(service: Up, album: Path) -> None:
    """A plain submit returns as soon as all are committed, each with its id."""
    done = submit(service, album, "--json")
    assert done.code == 0, done.err
    assert {item["state"] for item in items(done)} <= {"queued", "working", "done"}
    assert len({item["id"] for item in items(done)}) == 6


def test_save_writes_before_after_and_description(service: Up, album: Path, tmp_path: Path) -> None:
    """--save waits, and leaves three files a photo and one page that shows them."""
    done = submit(service, album, "--save", tmp_path / "new" / "looked-at")
    assert done.code == 0, done.err
    folder = tmp_path / "new" / "looked-at"
    assert str(folder / "index.html") in done.out
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 6 * 3 + 1
    assert {name.split(".", 1)[1] for name in names} == {
        *("before.png", "before.jpg", "after.png", "after.jpg", "json", "html")
    }


def test_a_file_that_is_no_picture_is_refused_and_the_others_are_judged(
    service: Up, album: Path, tmp_path: Path
) -> None:
    """Exit 1; the refused file has its problem, its neighbour its verdict, with --save too."""
    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    (tmp_path / "nothing.jpg").touch()
    photo = min(album.glob("*.png"))
    done = submit(service, tmp_path, photo, "--json", "--save", tmp_path / "saved")
    assert done.code == 1
    letter, nothing, judged = items(done)
    assert (letter["path"], letter["problem"]["code"]) == ("letter.png", "not_an_image")
    assert (nothing["path"], nothing["problem"]["code"]) == ("nothing.jpg", "empty_body")
    assert (judged["path"], judged["state"]) == (photo.name, "done")
    assert done.complaints == ["moderation: not every file was judged; see above"]


def test_a_file_that_is_too_large_is_refused_by_itself(service: Up, tmp_path: Path) -> None:
    """A file over the limit is one refused item, not an end of the whole command."""
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(40 << 20)
    done = submit(service, tmp_path, "--json")
    assert done.code == 1
    assert [item["problem"]["code"] for item in items(done)] == ["body_too_large"]


def test_any_file_name_can_be_sent(service: Up, tmp_path: Path) -> None:
    """Spaces, long names, control characters and bytes that are no UTF-8 do not matter."""
    image = draw.png(40, 30, "navy")
    for name in (b"a b&c?.png", b"x" * 240 + b".png", b"line\nbreak.png", b"\xff\xfe.png"):
        (tmp_path / os.fsdecode(name)).write_bytes(image)
    done = submit(service, tmp_path, "--save", tmp_path / "saved", "--json")
    assert done.code == 0, done.err
    assert {item["path"][:6] for item in items(done)} == {
        *("a b&c?", "xxxxxx", "line?b", "\ufffd\ufffd.png"[:6])
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jpg"], "missing.jpg does not exist"),
        (["folder"], "no pictures found; looked for files with .avif, .gif,"),
        (["/dev/null"], "/dev/null is neither a file nor a folder"),
        (["photo.png", "--save", "photo.png/x"], "cannot save to photo.png/x: Not a directory"),
        (["photo.png", "--ruleset", "wrong", "--wait"], "not every file was judged"),
    ],
    ids=["missing path", "folder without pictures", "device", "save", "ruleset"],
)
def test_what_cannot_be_sent_is_said_in_one_line(
    service: Up, tmp_path: Path, arguments: list[str], said: str
) -> None:
    """Exit 1, one line that names the fault, no traceback."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("nothing to see")
    (tmp_path / "photo.png").write_bytes(draw.png(8, 8, "red"))
    done = submit(service, *arguments, cwd=tmp_path)
    assert done.code == 1
    assert "Traceback" not in done.err
    (line,) = done.complaints
    assert said in line


@pytest.mark.parametrize("role", ["moderator", None])
def test_wrong_token_is_one_clear_line(service: Up, album: Path, role: str | None) -> None:
    """A token of another role, or of nobody, ends the command at once, not file by file."""
    token = service.token(role) if role else "mod_nobody"
    done = submit(service, album, token=token)
    assert done.code == 1
    (line,) = done.complaints
    assert f"{service.url} refuses the token: " in line


def test_nobody_there_is_said_soon(tmp_path: Path) -> None:
    """Where nothing listens, the answer comes within seconds and says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "a.png").write_bytes(draw.png(8, 8, "red"))
        began = time.monotonic()
        done = driving.run("submit", tmp_path, "--url", url, cwd=tmp_path, token="any")
    assert done.code == 1
    (line,) = done.complaints
    assert f"{url} does not answer (Connection refused); start it with `moderation up`" in line
    assert time.monotonic() - began < asking.FIRST_PATIENCE_S + 10


def test_no_token_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """Without a token and without a data folder the command was wrong: exit 2."""
    (tmp_path / "a.png").write_bytes(draw.png(8, 8, "red"))
    done = driving.run("submit", tmp_path, cwd=tmp_path)
    assert done.code == 2
    (line,) = done.complaints
    assert "set MODERATION_TOKEN, or run `up`" in line


@pytest.mark.parametrize("form", ["table", "json"])
def test_interrupted_submit_shows_what_was_done(service: Up, tmp_path: Path, form: str) -> None:
    """Ctrl-C prints the items that have ended, in the form asked for; no traceback, exit 1."""
    photos.write(tmp_path, PHOTOS // 2, wider=1 if form == "json" else 2)
    start = moment(service)
    asked = ["--json"] if form == "json" else []
    with begun(service, tmp_path, "--wait", *asked) as process:
        # It is told soon, so it has heard of what ended two seconds ago.
        until(lambda: ended(service, start, ago_s=2), "progress")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "moderation: stopped after " in err
    shown = items(Ended(1, out, err)) if form == "json" else out.splitlines()[2:]
    assert 0 < len(shown) < PHOTOS // 2
