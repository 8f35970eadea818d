"""The programs and the database cluster of an embedded Postgres, both made on the first start."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from service.embedded import binaries as embedded_binaries
from service.embedded.account import Account, adopt
from service.embedded.folder import Layout
from service.errors import StartRefused

SUPERUSER = "postgres"

_BUILTIN_LOCALES = 17  # The first major version that has them.
_PROBE_S = 10.0


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder of Postgres programs that the server's account can run, and their major version."""

    folder: Path
    major: int


def open_programs(layout: Layout, account: Account, explicit: Path | None) -> Programs:
    """
    Find the programs, and copy them into our folder if the account cannot run them where they are.

    Raises:
        StartRefused: There are none, they are too old, or they do not run here.

    """
    folder = embedded_binaries.find(explicit)
    asked = account.run([folder / "postgres", "--version"], _PROBE_S)
    if asked.returncode and account.first_closed(folder / "postgres") is not None:
        folder = embedded_binaries.copy(folder, layout.programs)
        asked = account.run([folder / "postgres", "--version"], _PROBE_S)
    if asked.returncode:
        raise StartRefused(f"{folder}/postgres does not run here: {_last(asked.stderr)}")
    return Programs(folder, embedded_binaries.major(asked.stdout))


def open_cluster(
    layout: Layout, account: Account, programs: Programs, *, durable: bool, deadline: float
) -> None:
    """
    Make the cluster if there is none; a killed attempt leaves nothing that counts.

    ``deadline`` is by ``time.monotonic``.  Not ``durable`` skips the flush to disk at the end.

    Raises:
        StartRefused: The cluster is of another major version or owner, or making it failed.

    """
    for unfinished in layout.unfinished():
        shutil.rmtree(unfinished)
    if not layout.data.exists():
        fresh = Path(tempfile.mkdtemp(dir=layout.root, prefix=layout.fresh_prefix))
        adopt(fresh, account)
        _initdb(fresh, account, programs, durable=durable, deadline=deadline)
        fresh.rename(layout.data)
        if durable:
            _flush(layout.root)
    adopt(layout.data, account)
    _check_version(layout, programs)


def _initdb(
    fresh: Path, account: Account, programs: Programs, *, durable: bool, deadline: float
) -> None:
    options = ["--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions"]
    options += ["--encoding=UTF8", "--locale=C", f"--username={SUPERUSER}", f"--pgdata={fresh}"]
    if programs.major >= _BUILTIN_LOCALES:
        # It sorts and folds alike on every system, and an upgrade of the C library changes nothing.
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not durable:
        options.append("--no-sync")
    left_s = max(deadline - time.monotonic(), 0.0)
    made = account.run([programs.folder / "initdb", *options], left_s)
    if made.returncode:
        raise StartRefused(f"initdb in {fresh} failed: {_last(made.stderr)}")


def _check_version(layout: Layout, programs: Programs) -> None:
    mark = layout.data / "PG_VERSION"
    if not mark.is_file():
        raise StartRefused(f"{layout.data} is not a Postgres cluster: it has no PG_VERSION")
    version = mark.read_text(encoding="ascii", errors="replace").strip()
    if version != str(programs.major):
        raise StartRefused(
            f"{layout.data} was made by PostgreSQL {version} and the programs in {programs.folder}"
            f" are of PostgreSQL {programs.major}: use programs of {version}, or dump and restore"
        )


def _flush(folder: Path) -> None:
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)


def _last(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-3:]) or "it said nothing"
