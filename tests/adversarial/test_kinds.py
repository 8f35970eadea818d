"""The generator of adversarial pictures."""

import json
from pathlib import Path

from PIL import Image

from tests.adversarial.__main__ import table, write
from tests.adversarial.kinds import ADDRESSING, HARMLESS, build


def test_a_seed_makes_the_same_pictures_again() -> None:
    """Each kind comes once, pixel for pixel as before; another seed makes others."""
    first, again, other = (list(build(seed, 1)) for seed in (7, 7, 8))

    assert [case.kind for case in first] == [*ADDRESSING, *HARMLESS]
    for one, two in zip(first, again, strict=True):
        assert one.image.tobytes() == two.image.tobytes()
    assert [case.text for case in first] != [case.text for case in other]


def test_written_pictures_have_an_index(tmp_path: Path) -> None:
    """Every picture stands in the index with its kind, its text and what it is."""
    cases = [case for case in build(7, 1) if case.kind in {"QR code", "photo without text"}]

    write(cases, tmp_path)

    index = json.loads((tmp_path / "index.json").read_text())
    assert [entry["addresses"] for entry in index.values()] == [True, False]
    for name, case in zip(index, cases, strict=True):
        with Image.open(tmp_path / name) as opened:
            assert opened.tobytes() == case.image.tobytes()


def test_the_table_counts_by_kind() -> None:
    """One row a kind, with how many pictures were called so."""
    assert table({"QR code": 9}, 10).splitlines()[2:] == ["| QR code | 10 | 9 |"]
