"""
Prints how many pictures of each kind are found, as Markdown: ``python -m tests.adversarial``.

With ``--write FOLDER`` the pictures are written instead, with an index of what is on them.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from service.local import addressed
from service.local.text import Reader
from tests.adversarial import Case
from tests.adversarial.kinds import ADDRESSING, HARMLESS, SEED, build


def main() -> None:
    """Read the corpus, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of the corpus")
    parser.add_argument("--each", type=int, default=10, help="pictures of a kind")
    parser.add_argument("--list", action="store_true", help="name every wrong one on stderr")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the pictures there")
    asked = parser.parse_args()
    cases = build(asked.seed, asked.each)
    if asked.write:
        write(cases, asked.write)
    else:
        sys.stdout.write(f"{table(called(cases, listed=asked.list), asked.each)}\n")


def write(cases: Iterable[Case], folder: Path) -> None:
    """Write each picture and ``index.json`` with its kind, its text and whether it addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    index = {}
    for number, case in enumerate(cases):
        name = f"{number:04d}.png"
        case.image.save(folder / name)
        index[name] = {"kind": case.kind, "text": case.text, "addresses": case.addresses}
    (folder / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False))


def called(cases: Iterable[Case], *, listed: bool = False) -> dict[str, int]:
    """Count by kind the pictures that are said to address the model."""
    cv2.setNumThreads(1)
    reader = Reader()
    counts = dict.fromkeys((*ADDRESSING, *HARMLESS), 0)
    for number, case in enumerate(cases):
        pixels = np.asarray(case.image)
        lines = reader.lines(pixels)
        found = addressed.read(pixels, lines, reader)
        counts[case.kind] += bool(found)
        if listed and bool(found) != case.addresses:
            seen = found or [line.text for line in lines]
            sys.stderr.write(f"{number} {case.kind}: {case.text!r} read as {seen}\n")
    return counts


def table(counts: dict[str, int], each: int) -> str:
    """Write the counts as a Markdown table."""
    rows = ["| kind | pictures | said to address the model |", "|---|---:|---:|"]
    rows += [f"| {kind} | {each} | {count} |" for kind, count in counts.items()]
    return "\n".join(rows)


if __name__ == "__main__":
    main()
