"""The code before this one, from the history: what runs beside it while a fleet upgrades."""

import subprocess
from pathlib import Path

from tests.flows.processes import ROOT


def unpack(folder: Path) -> Path:
    """Write the newest code that has fewer migrations than this one into a folder, and give it."""
    have = len(list((ROOT / "migrations").glob("*.sql")))
    for commit in _git("rev-list", "HEAD").split():
        if _migrations(commit) < have:
            archive = folder / "previous.tar"
            _git("archive", f"--output={archive}", commit)
            unpacked = folder / "previous"
            unpacked.mkdir()
            subprocess.run(["tar", "-x", "-C", unpacked, "-f", archive], check=True)
            return unpacked
    raise AssertionError(f"no commit in the history of {ROOT} has fewer than {have} migrations")


def _migrations(commit: str) -> int:
    return len(_git("ls-tree", "--name-only", commit, "migrations/").split())


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"the previous code is in the history: git said {done.stderr}"
    return done.stdout
