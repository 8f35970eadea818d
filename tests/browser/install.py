"""
Gets what the tests of the console need beside Python: Debian's Chromium and axe-core.

``python -m tests.browser.install``; as root it installs the browser by apt.  axe-core is kept in
the user's cache folder, outside of the checkout.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

AXE = "axe-core@4.14.1"
_MEMBER = "package/axe.min.js"


class Missing(Exception):
    """What cannot be had here, and why."""


def chromium() -> str:
    """
    Give the path of Chromium; as root, install it where it is not there.

    Raises:
        Missing: It is not installed, and only root may do that.
    """
    found = shutil.which("chromium")
    if found is None and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        subprocess.run(["apt-get", "update"], check=True, env=environment)
        subprocess.run(install, check=True, env=environment)
        found = shutil.which("chromium")
    if found is None:
        raise Missing("Chromium is not installed; root does it with apt-get install chromium")
    return found


def axe() -> str:
    """Give the source of axe-core; the first time it comes from npm."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache / "moderation-tests" / f"{AXE}.min.js"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            pack = ["npm", "pack", "--silent", AXE]
            subprocess.run(pack, check=True, cwd=folder, capture_output=True)
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as opened:
                opened.extract(_MEMBER, folder, filter="data")
            # Whoever does the same at the same time replaces it by the same bytes.
            (Path(folder) / _MEMBER).replace(kept)
    return kept.read_text("utf-8")


if __name__ == "__main__":
    print(chromium())  # noqa: T201  # a script says what it found
    axe()
