"""Writes the corpus to a folder: each file, and ``fates.json`` with the fate of each."""

import json
import sys
from pathlib import Path

from tests.hostile import corpus

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
fates = {}
for case in corpus.build(int(sys.argv[2]) if len(sys.argv) > 2 else corpus.SEED):
    name = case.name.replace(" ", "_").replace("/", "_")
    (folder / name).write_bytes(case.data)
    if case.reference is not None:
        case.reference.save(folder / f"{name}.reference.png")
    fates[name] = {"fate": case.fate, "outcome": case.outcome}
(folder / "fates.json").write_text(json.dumps(fates, indent=1))
