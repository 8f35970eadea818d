"""The code before this one, from the history: what runs beside it while a fleet upgrades."""

import subprocess
from pathlib import Path

from tests.flows.processes import ROOT

# One release has brought as many migrations, in more than one commit.
BEHIND = 2


def unpack(folder: Path) -> Path:
    """
    Write code that lacks the last ``BEHIND`` migrations into a folder, and give that.

    It is the code as it was when the migration before those came.
    """
    bound = len(list((ROOT / "migrations").glob("*.sql"))) - BEHIND
    for commit in _git("rev-list", "HEAD", "--", "migrations").split():
        if _migrations(commit) <= bound:
            archive = folder / "previous.tar"
            _git("archive", f"--output={archive}", commit)
            unpacked = folder / "previous"
            unpacked.mkdir()
            subprocess.run(["tar", "-x", "-C", unpacked, "-f", archive], check=True)
            return unpacked
    raise AssertionError(f"no commit in the history of {ROOT} has {bound} migrations or fewer")


def _migrations(commit: str) -> int:
    return len(_git("ls-tree", "--name-only", commit, "migrations/").split())


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"the previous code is in the history: git said {done.stderr}"
    return done.stdout
