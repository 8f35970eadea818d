"""The first thing that anybody does: `up --demo --once` in an empty folder."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.embedded.server import EmbeddedPostgres
from service.local import codes, text
from service.local.faces import FaceFinder
from tests.up import driving
from tests.up.conftest import Demonstrated

# What the edits hide is padded; beyond this the picture must be what was sent.
MARGIN_PX = 24

EXPECTED = {
    "01-astronaut": ("redacted", "allow_edited"),
    "02-business-card": ("redacted", "allow_edited"),
    "03-poster-with-code": ("redacted", "allow_edited"),
    "04-cat": ("clean", "allow"),
    "05-note-to-the-model": ("clean", "hold"),
    "06-coffee-for-sale": ("violating", "hold"),
}


def item(where: Demonstrated, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((where.data_dir / "demo" / f"{name}.json").read_text())
    return found


def pixels(where: Demonstrated, name: str, which: str) -> NDArray[np.uint8]:
    (path,) = (where.data_dir / "demo").glob(f"{name}.{which}.*")
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def test_demo_shows_a_table_and_succeeds(demonstrated: Demonstrated) -> None:
    """Exit 0; stdout holds the four columns, a row a picture, and where to look at them."""
    ended = demonstrated.ended
    assert ended.code == 0, ended.err
    assert ended.err.count("Traceback") == 0
    lines = ended.out.splitlines()
    head = next(at for at, line in enumerate(lines) if line.startswith("picture"))
    assert lines[head].split() == ["picture", "outcome", "verdict", "findings"]
    rows = [line.split()[:3] for line in lines[head + 2 : head + 2 + len(EXPECTED)]]
    assert [tuple(row[1:]) for row in rows] == list(EXPECTED.values())
    assert str(demonstrated.data_dir / "demo" / "index.html") in ended.out


def test_demo_leaves_before_after_and_json_of_each_picture(demonstrated: Demonstrated) -> None:
    """Each picture has its three files, and the page shows all of them."""
    folder = demonstrated.data_dir / "demo"
    page = (folder / "index.html").read_text("utf-8")
    for name, (outcome, verdict) in EXPECTED.items():
        assert (item(demonstrated, name)["outcome"], item(demonstrated, name)["verdict"]) == (
            outcome,
            verdict,
        )
        for which in ("before", "after"):
            (path,) = folder.glob(f"{name}.{which}.*")
            assert f'src="{path.name}"' in page
    assert len(list(folder.iterdir())) == 3 * len(EXPECTED) + 1


def test_tokens_are_kept_for_the_owner_alone(demonstrated: Demonstrated) -> None:
    """tokens.json holds one token for each role; nobody else may read it or enter the folder."""
    path = demonstrated.data_dir / "tokens.json"
    assert set(json.loads(path.read_text())) == {"platform", "moderator", "policy", "admin"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(demonstrated.data_dir.stat().st_mode) == 0o700


def test_nothing_of_the_run_is_left_behind(demonstrated: Demonstrated) -> None:
    """The notes of where things run are gone with them."""
    left = {path.name for path in demonstrated.data_dir.iterdir()}
    assert left == {"demo", "postgres", "tokens.json", "up.lock"}


def faces(picture: NDArray[np.uint8]) -> list[str]:
    return [one.kind for one in FaceFinder().find(picture)]


def personal(picture: NDArray[np.uint8]) -> list[str]:
    return sorted(one.kind for one in text.personal(text.Reader().lines(picture)))


def code_kinds(picture: NDArray[np.uint8]) -> list[str]:
    return [one.kind for one in codes.find(picture)]


@pytest.mark.parametrize(
    ("name", "look", "seen"),
    [
        ("01-astronaut", faces, ["face"]),
        ("02-business-card", personal, ["email", "handle", "phone"]),
        ("03-poster-with-code", code_kinds, ["qr_code"]),
        ("06-coffee-for-sale", personal, ["phone"]),
    ],
)
def test_what_was_there_before_is_not_there_after(
    demonstrated: Demonstrated,
    name: str,
    look: Callable[[NDArray[np.uint8]], list[str]],
    seen: list[str],
) -> None:
    """A detector that sees it in the picture sent sees nothing in the edited one."""
    assert look(pixels(demonstrated, name, "before")) == seen
    assert look(pixels(demonstrated, name, "after")) == []


@pytest.mark.parametrize("name", list(EXPECTED))
def test_pixels_change_inside_the_boxes_and_only_there(
    demonstrated: Demonstrated, name: str
) -> None:
    """Each box that claims an edit is changed much; the rest is the same but for JPEG's noise."""
    before = pixels(demonstrated, name, "before").astype(int)
    after = pixels(demonstrated, name, "after").astype(int)
    assert before.shape == after.shape
    change = np.abs(before - after).max(axis=2)
    height, width = change.shape
    untouched = np.ones_like(change, dtype=bool)
    for finding in item(demonstrated, name)["description"]["findings"]:
        if finding["edit"] == "none":
            continue
        top, left, bottom, right = (
            round(share * side / 1000)
            for share, side in zip(finding["box_2d"], (height, width) * 2, strict=True)
        )
        assert change[top:bottom, left:right].mean() > 10, finding
        untouched[
            max(0, top - MARGIN_PX) : bottom + MARGIN_PX,
            max(0, left - MARGIN_PX) : right + MARGIN_PX,
        ] = False
    (path,) = (demonstrated.data_dir / "demo").glob(f"{name}.after.*")
    allowed = 0 if path.suffix == ".png" else 24
    assert np.quantile(change[untouched], 0.999) <= allowed
    assert untouched.mean() > 0.3


def test_each_done_upload_has_its_record_and_none_else_has_one(demonstrated: Demonstrated) -> None:
    """In the database, too: done uploads, records and edited images are the same set."""
    with EmbeddedPostgres(demonstrated.data_dir / "postgres") as postgres:
        (counts,) = driving.query(
            postgres.dsn("moderation", "postgres"),
            """
            SELECT (SELECT count(*) FROM uploads WHERE state = 'done') AS done,
                   (SELECT count(*) FROM uploads WHERE state <> 'done') AS others,
                   (SELECT count(*)
                      FROM records
                      JOIN uploads ON uploads.id = records.upload_id AND uploads.state = 'done'
                      JOIN images ON images.sha256 = records.edited_sha256
                     WHERE records.description IS NOT NULL) AS whole,
                   (SELECT count(*) FROM records) AS records,
                   (SELECT count(*) FROM callbacks) AS callbacks
            """,
        )
    # A second demonstration in the same folder, by another test, adds as many again.
    assert counts["done"] % len(EXPECTED) == 0
    assert counts["done"] > 0
    assert dict(counts) == {
        "done": counts["done"],
        "others": 0,
        "whole": counts["done"],
        "records": counts["done"],
        "callbacks": counts["done"],
    }


@pytest.mark.slow
def test_demo_works_again_in_the_same_folder(demonstrated: Demonstrated) -> None:
    """The second time finds database, tokens and pictures as they were left."""
    tokens = (demonstrated.data_dir / "tokens.json").read_bytes()
    ended = driving.run("up", "--demo", "--once", "--port", 0, "--data-dir", demonstrated.data_dir)
    assert ended.code == 0, ended.err
    assert (demonstrated.data_dir / "tokens.json").read_bytes() == tokens
    assert "migration_applied" not in ended.err


def test_once_alone_is_a_usage_error(tmp_path: Path) -> None:
    """There is nothing to stop after without a demonstration: exit 2, and nothing is made."""
    ended = driving.run("up", "--once", "--data-dir", tmp_path / "data")
    assert ended.code == 2
    assert "--once needs --demo" in ended.err
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # names are enough
