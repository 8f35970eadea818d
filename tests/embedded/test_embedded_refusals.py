import os
import shutil
from pathlib import Path

import pytest

from service.embedded import binaries as embedded_binaries
from service.embedded.server import EmbeddedPostgres
from service.errors import StartRefused


def programs(folder: Path, **scripts: str) -> Path:
    """Make a folder of programs that are shell scripts."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A folder with foreign files is named, refused and left as it is."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StartRefused, match=r"thesis\.txt"):
        EmbeddedPostgres(tmp_path).start()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_cluster_without_a_version_is_refused(tmp_path: Path) -> None:
    """A data folder that is no cluster is not overwritten."""
    (tmp_path / "owner.lock").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes").touch()
    with pytest.raises(StartRefused, match="is not a Postgres cluster"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "data" / "notes").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """An error of the file system becomes one line that names the folder and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match=r"file/postgres cannot start: .*Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_programs_that_do_not_run_are_refused(tmp_path: Path) -> None:
    """What the loader said about a broken program is in the error."""
    broken = programs(tmp_path / "bin", postgres="echo no such library >&2; exit 127")
    with pytest.raises(StartRefused, match="does not run here: no such library"):
        EmbeddedPostgres(tmp_path / "postgres", binaries=broken).start()


def test_a_failed_initdb_is_told_and_leaves_no_cluster(tmp_path: Path) -> None:
    """The last lines of initdb are in the error, and the folder is free for another try."""
    failing = programs(
        tmp_path / "bin",
        postgres="echo 'postgres (PostgreSQL) 16.4'",
        initdb="echo No space left on device >&2; exit 1",
    )
    folder = tmp_path / "postgres"
    with pytest.raises(StartRefused, match=r"initdb in .* failed: No space left on device"):
        EmbeddedPostgres(folder, binaries=failing).start()
    with EmbeddedPostgres(folder, settings={"fsync": "off"}) as postgres:
        assert postgres.poll() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may choose")
def test_only_root_chooses_how_to_become_another_account(tmp_path: Path) -> None:
    """A plain user who asks for another account is told that it is for root."""
    with pytest.raises(StartRefused, match="is for root"):
        EmbeddedPostgres(tmp_path / "postgres", privileges="nobody").start()


def test_a_machine_without_postgres_learns_what_to_do(tmp_path: Path) -> None:
    """Without programs anywhere, the error names the extra to install and the setting."""
    with pytest.raises(StartRefused, match=r"\[embedded\].*MODERATION_DATABASE_URL"):
        embedded_binaries.find(None, wheels=(("no_such_wheel", "bin"),), debian=tmp_path)
    with pytest.raises(StartRefused, match="holds no program named postgres"):
        embedded_binaries.find(tmp_path)


def test_debian_packages_are_taken_newest_first_and_not_before_15(tmp_path: Path) -> None:
    """Of 9, 14, 15 and 17 beside each other, 17 is found; of 9 and 14, none."""
    for version in ("9", "14", "15", "17"):
        programs = tmp_path / version / "bin"
        programs.mkdir(parents=True)
        (programs / "postgres").touch()
        (programs / "initdb").touch()
    assert embedded_binaries.find(None, wheels=(), debian=tmp_path) == tmp_path / "17" / "bin"
    shutil.rmtree(tmp_path / "17")
    shutil.rmtree(tmp_path / "15")
    with pytest.raises(StartRefused):
        embedded_binaries.find(None, wheels=(), debian=tmp_path)


@pytest.mark.parametrize("printed", ["postgres (PostgreSQL) 14.9", "something else"])
def test_an_old_or_unknown_version_is_refused(printed: str) -> None:
    """Less than 15, or no version at all, is refused with what was printed."""
    with pytest.raises(StartRefused, match="15 or later"):
        embedded_binaries.major(printed)
